/* Between roles.c, which sorts positions, solve.c, which turns the log into equations, and size.c, which
 * counts what is left free. */
#ifndef CNX_ANALYZE_SCALING_SOLVE_H
#define CNX_ANALYZE_SCALING_SOLVE_H

#include "analyze/equations.h"
#include "analyze/scaling/log.h"

/* The positions of cells on a sequence, by cell and copy: role r is copy `copies[r]` of the members of
 * `cells[r]`. Roles are in order of cells, then copies. */
typedef struct cnx_roles {
    bool known;
    uint32_t count;
    const uint32_t *cells;
    const uint32_t *copies;
    const uint32_t *positions; /* how many the role has */
    const uint32_t *role_of;   /* by position, CNX_NONE where nothing may move; NULL: all in role 0 */
    uint32_t *listed;       /* positions, role by role; found when first asked for, unless role_of is NULL */
    uint32_t *first_listed; /* by role */
} cnx_roles;

/* One of the two systems. */
typedef struct cnx_scaling_system {
    cnx_scaling_kind kind; /* of generators and actions */
    unsigned stated;       /* kinds of the statements that hold in it */
    cnx_equations *equations;
    uint32_t generator_count;
    uint32_t number_count;
    size_t generator_capacity;
    cnx_generator *generators;
    uint32_t *generator_of; /* by unknown: number + 1 */
    size_t unknown_capacity;
    uint32_t *unknown_of; /* by generator */
} cnx_scaling_system;

typedef struct cnx_axis_actions {
    uint32_t count;
    cnx_scaling_action *actions;
} cnx_axis_actions;

struct cnx_scalings {
    cnx_arena *arena;
    cnx_analysis *analysis;
    const cnx_scaling_log *log;
    const cnx_cells *cells;
    cnx_roles *roles;                      /* by sequence, found on demand */
    uint32_t *seen;                        /* by class: scratch of roles.c, all zero between calls */
    struct cnx_surroundings *surroundings; /* of surroundings.c, made on demand */
    uint32_t *position_of;    /* by point: scratch of carry.c, made on demand, all zero between calls */
    uint32_t **first_unknown; /* by value, then axis: of the roles on it, in their order */
    size_t unknown_count;
    cnx_scaling_system systems[2]; /* signs, scales */
    cnx_axis_actions **actions;    /* by parameter, then axis */
    cnx_cell_scaling *sizes;       /* by cell */
    cnx_cell_scaling excess;
};

/* ---- solve.c ---- */

/* Solves the log: signs and scales, or, with `shifted`, signs including those that come with a shift. */
cnx_scalings *cnx_solve_scalings(cnx_arena *arena, cnx_analysis *analysis, bool shifted);

/* An unknown as a sum of generators, by number: at most CNX_MOST_TERMS. Returns how many. What no parameter
 * shows is left out. */
uint32_t cnx_generators_of(const cnx_scaling_system *system, uint32_t unknown, cnx_term *terms);

/* ---- shift.c ---- */

/* Shifted elements may be multiplied along the axis that is summed over, and no other. */
void cnx_state_shifts(cnx_scalings *s);

/* ---- roles.c ---- */

/* The sequence of an axis of a value, or NULL when it has no labels. */
const cnx_sequence *cnx_sequence_of_axis(const cnx_scalings *s, uint32_t value, uint32_t axis);

/* The roles on an axis of a value; none when it has no labels. */
const cnx_roles *cnx_roles_on_axis(cnx_scalings *s, uint32_t value, uint32_t axis);

/* The role at a position, or CNX_NONE. */
uint32_t cnx_role_at(const cnx_roles *roles, uint32_t position);

/* The first role of a cell, and how many there are; 0 when the cell is not there. */
uint32_t cnx_roles_of_cell(const cnx_roles *roles, uint32_t cell, uint32_t *count);

/* ---- surroundings.c ---- */

/* The list without cells. */
#define CNX_NO_CELLS 0u

/* Lists, by number, of the cells of the blocks that a set of twins lies in, and that any copy of a class lies
 * in with its twins. Lists of the same cells have the same number. */
uint32_t cnx_cells_around_twin(cnx_scalings *s, uint32_t twin);
uint32_t cnx_cells_around_class(cnx_scalings *s, uint32_t class);

/* The cells of a list, ascending. */
const uint32_t *cnx_cells_in_list(const cnx_scalings *s, uint32_t list, uint32_t *count);

/* ---- statements.c ---- */

/* States the whole log in a system. */
void cnx_state_log(cnx_scalings *s, cnx_scaling_system *system);

/* The unknown is zero. */
void cnx_state_zero(cnx_scaling_system *system, uint32_t unknown);

/* ---- carry.c ---- */

/* Nothing is multiplied along the axis. */
void cnx_state_zero_axis(cnx_scalings *s, cnx_scaling_system *system, uint32_t value, uint32_t axis);

/* Axes [0, count) of `from` and one or all axes of a value `to` hold the same elements; see
 * cnx_scaling_carry and cnx_scaling_join. */
void cnx_state_carry(cnx_scalings *s, cnx_scaling_system *system, const cnx_scaling_statement *statement);
void cnx_state_join(cnx_scalings *s, cnx_scaling_system *system, const cnx_scaling_statement *statement);

/* ---- redundant.c ---- */

/* Sets factors of blocks to zero that factors inside them can undo, in the systems' equations; generators and
 * actions have to be found again then. Returns whether there were any. */
bool cnx_drop_redundant(cnx_scalings *s);

/* ---- size.c ---- */

/* Fills in `sizes` and `excess`, once the actions are known. */
void cnx_measure_scalings(cnx_scalings *s);

#endif
