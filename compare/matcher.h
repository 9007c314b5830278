/* What the steps of weight matching (match_weights.c) share: the symmetry as it is at present, and what they
 * do to one family. */
#ifndef CNX_COMPARE_MATCHER_H
#define CNX_COMPARE_MATCHER_H

#include "compare/similarity.h"

typedef struct cnx_matcher {
    cnx_comparison *c;
    cnx_arena *arena;
    cnx_families *families;
    const cnx_cells *cells;
    const double *weights; /* by pair, see cnx_weigh_pairs */
    uint32_t *choice;      /* by class: where it goes inside its own block */
    uint32_t *before;      /* scratch: the choice before a visit */
    uint32_t *image;       /* by class: where it goes, blocks carrying what is inside them */
    uint32_t *points;      /* by point: the present permutation without the family at hand ... */
    uint32_t *whole;       /* ... and with it */
    cnx_numbers *numbers;  /* that b is multiplied by at present ... */
    bool multiplies;       /* ... if by anything */
    bool *known;           /* by family */
    uint32_t *order;       /* families as they became known */
    uint32_t order_count;
    double work; /* multiply-adds so far */
    bool ran_out;
    bool moved;         /* numbers changed in this visit */
    cnx_family *family; /* that is being assigned ... */
    double **gain;      /* ... its kinds' similarities, by place */
} cnx_matcher;

/* Completes the choice; `without`: a family that stays as it is, or CNX_NONE. Fills m->image and `points`. */
void cnx_matcher_complete(cnx_matcher *m, uint32_t without, uint32_t *points);

/* Brings m->points and m->whole up to date for a family, m->image with it. */
void cnx_matcher_present(cnx_matcher *m, uint32_t number);

/* The weighted squared distance of all pairs that are evidence, or of those that are for one family, once `a`
 * is permuted and b multiplied as given (NULL: not at all). */
double cnx_matcher_distance(const cnx_matcher *m, const cnx_family *family, const uint32_t *points,
                            const cnx_numbers *numbers);

/* Places of the members of a kind, in a and, under the present choice, in b. */
cnx_lineup cnx_line_up(const cnx_matcher *m, cnx_arena *arena, uint32_t number, uint32_t kind);

/* How the evidence for a family is read while it stands as it does at present. */
cnx_view_of_evidence cnx_view_of(const cnx_matcher *m, const cnx_family *family, const bool *known);

/* By multiple, then member: how alike the members of a line-up are to what they stand beside. */
cnx_likeness *cnx_find_likeness(cnx_matcher *m, cnx_arena *arena, uint32_t number, uint32_t kind,
                                const bool *known, const cnx_lineup *lineup);

/* The best signs and exponents for b's members in a line-up, in an array of the arena's; the likeness is
 * brought up to date. *better counts those that are not the present ones. NULL for kinds without any. */
cnx_choice *cnx_choose_numbers(cnx_arena *arena, const cnx_kind *kind, const cnx_lineup *lineup,
                               cnx_likeness *likeness, uint32_t *better);

/* Multiplies b by choices (NULL: none) for the members of a line-up. */
void cnx_take_choices(cnx_matcher *m, const cnx_kind *kind, const cnx_lineup *lineup,
                      const cnx_choice *choices);

/* Multiplies b's members of a family by what brings them nearest to what stands beside them. */
void cnx_settle_numbers(cnx_matcher *m, uint32_t number, const bool *known);

/* Fills `explained`, by place in the kind. Returns how many are not. */
uint32_t cnx_explain_kind(cnx_matcher *m, uint32_t number, uint32_t kind, const bool *known,
                          const cnx_lineup *lineup, const cnx_likeness *likeness, bool *explained);

/* How alike the members of a line-up are, every row with every column, under the best signs. */
double *cnx_find_similarity(cnx_matcher *m, cnx_arena *arena, const cnx_family *family, uint32_t kind,
                            const cnx_view_of_evidence *view, const cnx_lineup *lineup);

typedef enum cnx_visit {
    CNX_LOOK,     /* at whether it is explained */
    CNX_PERMUTE,  /* bring it into its best order */
    CNX_SETTLE,   /* and choose signs and scales */
    CNX_MULTIPLY, /* only that */
} cnx_visit;

/* match_family.c: does one thing to one family under the evidence that is known (NULL: all). Returns whether
 * everything was explained as it stands. */
bool cnx_visit_family(cnx_matcher *m, uint32_t number, const bool *known, cnx_visit what);

#endif
