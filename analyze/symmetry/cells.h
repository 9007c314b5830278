/* Cells: the classes of points that play the same part in the graph, and so may be permuted. See cells.c. */
#ifndef CNX_ANALYZE_CELLS_H
#define CNX_ANALYZE_CELLS_H

#include "analyze/symmetry/points.h"

/* Classes of one colour with one home. Without a home, or inside one block, they may be permuted in every
 * way. */
typedef struct cnx_cell {
    uint32_t first; /* into cnx_cells.members */
    uint32_t count;
    uint32_t home;   /* class of the block that the members live in, or CNX_NONE */
    uint32_t phase;  /* blocks come in an earlier phase than what they contain */
    uint64_t colour; /* equal for cells that play the same part in exchangeable blocks */
} cnx_cell;

typedef struct cnx_cells {
    cnx_points *points;
    uint32_t class_count;
    uint32_t *class_of;     /* by point */
    uint32_t *copy_start;   /* by class, class_count + 1 entries: range in `copies` */
    uint32_t *copies;       /* the points of each class */
    bool *in_blocks;        /* by class: some copy lies in a block */
    uint32_t *pinned;       /* by class: reason or CNX_NONE */
    uint32_t irregular;     /* how many are pinned because their symmetry is of a kind that is not described:
                               blocks that cut across each other, copies that do not move in step */
    uint64_t *occurrence;   /* by point: hash of the sequences that list it, and of those that list its twins;
                               it tells more where `looked_at` */
    bool *looked_at;        /* by class: cnx_look_closer was there; NULL: nowhere */
    uint32_t *twin_of;      /* by point: the number of its set of twins. Those that lie in no block, most of
                               a large model, share the last number: it has no parents. */
    uint32_t *parent_start; /* by number of twins, and one more: range in the next two */
    uint32_t parent_count;  /* their length */
    uint32_t *parent_point; /* a block that contains the point or a twin of it */
    uint32_t *parent_relation;
    uint32_t *home;    /* by class, CNX_NONE when free-standing or pinned */
    uint32_t *circle;  /* by class: number of the grid, rows that lie in columns and columns that lie in rows,
                          that it belongs to, or 0; NULL where there is none */
    uint32_t *cell_of; /* by class, CNX_NONE when pinned */
    uint32_t *rank_of; /* by class: its place in its cell */
    uint32_t *depth;   /* by class: number of homes around it */
    uint32_t cell_count;
    cnx_cell *cells;   /* ordered by first member */
    uint32_t *members; /* classes, cell by cell, in order of their first point */
    uint32_t phase_count;
    /* Cells by home: cells inside block class b are child_cells[child_start[b] .. child_start[b + 1]). */
    uint32_t *child_start;
    uint32_t *child_cells;
} cnx_cells;

/* Finds the cells and verifies that every permutation they allow is a symmetry (analyze/symmetry/verify.c).
 * What cannot be verified is pinned. Memory from `arena`. To be called once: the points are frozen. */
cnx_cells *cnx_find_cells(cnx_arena *arena, cnx_points *points);

/* The cells of an analysis; found on first use, then remembered with it. */
const cnx_cells *cnx_analysis_cells(cnx_analysis *analysis);

/* The labels of a parameter's axis as the graph came to see them, or NULL when the axis carries none. */
const cnx_labels *cnx_parameter_labels(const cnx_parameter *parameter, uint32_t axis);

/* log10 of the number of permutations of one cell, with everything inside its members. */
double cnx_cell_log10_order(const cnx_cells *cells, uint32_t cell);

/* Fills `occurrence`, from `twin_of`. Memory from `arena`. */
void cnx_hash_occurrences(cnx_cells *cells, cnx_arena *arena);

/* Lets `occurrence` of the points of some classes, chosen by class, say more, so that classes are told apart
 * that cannot be exchanged: all that points and relations tell (analyze/symmetry/occurrences.c). Copies have
 * to be sorted again. Chooses also the classes that these are related to. */
void cnx_look_closer(cnx_cells *cells, bool *chosen);

/* Puts the copies of every class in the order of where they occur: classes that can be exchanged then list
 * them alike. cnx_find_cells does it. */
void cnx_sort_copies(cnx_cells *cells);

/* Moves whole classes: image[c] is the class that class c goes to. Classes inside moved blocks are carried
 * along; `image` starts as the caller's choice for the members of some cells and identity elsewhere, and is
 * completed here. A class inside a moved block is first permuted as the caller chose, then carried. */
void cnx_carry_classes(const cnx_cells *cells, uint32_t *image);

/* The permutation of points that a completed permutation of classes induces. `result` has point_count
 * entries. */
void cnx_permute_points(const cnx_cells *cells, const uint32_t *image, uint32_t *result);

#endif
