/* What explain.c, explain_map.c, explain_search.c and explain_words.c share. See the essay of explain.c. */
#ifndef CNX_ANALYZE_EXPLAIN_INTERNAL_H
#define CNX_ANALYZE_EXPLAIN_INTERNAL_H

#include "analyze/symmetry/cells.h"

/* ---- the map: where points occur ---- */

/* Lists by key: those of key k are items[start[k] .. start[k + 1]). */
typedef struct cnx_lists {
    uint32_t *start;
    uint32_t *items;
} cnx_lists;

/* One axis of a value, as its readers see it. A shared tensor is seen with points of its own by some nodes.
 */
typedef struct cnx_sighting {
    uint32_t value;  /* number (cnx_walk) */
    uint32_t reader; /* number of the only node that sees it so; CNX_NONE: all that have no sighting of their
                        own */
    uint32_t axis;
    cnx_dim extent;
    const cnx_labels *labels; /* NULL: the axis is pinned */
    uint32_t reason;          /* then */
} cnx_sighting;

typedef struct cnx_occurrence {
    uint32_t sequence;
    uint32_t position;
} cnx_occurrence;

typedef struct cnx_occurrences {
    size_t count;
    size_t capacity;
    cnx_occurrence *items;
} cnx_occurrences;

typedef struct cnx_map {
    cnx_arena *arena;
    const cnx_analysis *analysis;
    const cnx_points *points;
    const cnx_cells *cells;
    size_t sighting_count;
    size_t sighting_capacity;
    cnx_sighting *sightings;
    cnx_lists sightings_of; /* by value */
    cnx_lists values_of; /* by node: what it reads and makes, and what its nested graphs are given and give */
    cnx_lists nodes_of;  /* by value: the same the other way round */
    cnx_lists relations_of; /* by sequence */
    cnx_lists pins_of;      /* by sequence */
    cnx_lists repeats_of;   /* by relation: the nodes that stated it again */
    struct cnx_span *spans; /* by sequence */
    cnx_intern met;         /* points that were looked up, and where they occur */
    size_t met_count;
    size_t met_capacity;
    cnx_occurrences *occurrences;
} cnx_map;

cnx_map *cnx_map_create(cnx_arena *arena, const cnx_analysis *analysis, const cnx_cells *cells);

/* The sequences that list a point. Borrowed until the next call. */
cnx_occurrences cnx_map_occurrences(cnx_map *map, uint32_t point);

/* How `node` (CNX_NONE: anybody) sees the axis of `value` that lists the point; NULL when it sees none.
 * *position is the place on the axis. */
const cnx_sighting *cnx_map_sight(cnx_map *map, uint32_t value, uint32_t node, uint32_t point,
                                  uint32_t *position);
/* The same for an axis that carries no points and is pinned for this reason; of several, one that is as long
 * as `like` (or NULL). */
const cnx_sighting *cnx_map_sight_pinned(const cnx_map *map, uint32_t value, uint32_t node, uint32_t reason,
                                         const cnx_sighting *like);

/* Whether a value is a tensor that the model stores. */
bool cnx_map_is_parameter(const cnx_map *map, uint32_t value);

/* Whether a node stated a relation, first or again. */
bool cnx_map_states(const cnx_map *map, uint32_t node, uint32_t relation);

/* The walk that a node or value number belongs to. */
const cnx_walk *cnx_map_walk_of_node(const cnx_map *map, uint32_t node);
const cnx_walk *cnx_map_walk_of_value(const cnx_map *map, uint32_t value);
const cnx_node *cnx_map_node(const cnx_map *map, uint32_t node);
const cnx_value *cnx_map_value(const cnx_map *map, uint32_t value);

/* The number of value `id` in walk number `walk`: of the value that it captures, if it does. */
uint32_t cnx_map_number(const cnx_analysis *analysis, uint32_t walk, uint32_t id);

/* ---- the search ---- */

/* What one may follow on the way. */
typedef enum cnx_follow {
    CNX_FOLLOW_CLASS,  /* what moves as one: identities */
    CNX_FOLLOW_HOME,   /* idem, and between a block and what lives in it: what moves together */
    CNX_FOLLOW_PIN,    /* idem, and from a block to what lies in it: that holds the block */
    CNX_FOLLOW_HELD,   /* inside a block: what holds a position by itself, not only its class */
    CNX_FOLLOW_TWINS,  /* identities of one with one */
    CNX_FOLLOW_UP,     /* identities, and from what lies in a block to the block */
    CNX_FOLLOW_REASON, /* an axis without points that is pinned for one reason */
} cnx_follow;

/* One stop: a point (or, with CNX_FOLLOW_REASON, a reason) at a value or at a node. */
typedef struct cnx_stop {
    uint32_t follow;
    uint32_t item;
    uint32_t place;    /* number of a value, or of a node with CNX_AT_NODE set */
    uint32_t before;   /* the stop it was reached from, or CNX_NONE */
    uint32_t relation; /* that led here, or CNX_NONE */
} cnx_stop;

#define CNX_AT_NODE 0x80000000u

typedef enum cnx_goal {
    CNX_GOAL_PIN,  /* what pins, for the reason `wanted` or any */
    CNX_GOAL_AXIS, /* the axis `value`:`axis`, position `position` or any */
    CNX_GOAL_STOP, /* the point `item` at the node `place` */
    CNX_GOAL_NONE, /* see everything */
} cnx_goal;

typedef struct cnx_search {
    cnx_map *map;
    cnx_arena *arena;
    cnx_goal goal;
    uint32_t wanted; /* CNX_GOAL_PIN: a reason, or CNX_NONE */
    uint32_t value;  /* CNX_GOAL_AXIS */
    uint32_t axis;
    uint32_t position; /* or CNX_NONE */
    uint32_t item;     /* CNX_GOAL_STOP */
    uint32_t place;
    uint32_t
        most_copies; /* of the copies of a position, and of the positions in a block, this many are tried */
    cnx_intern seen;
    size_t stop_count;
    size_t stop_capacity;
    cnx_stop *stops;
    size_t next_count; /* stops that lie one node further than the ones at hand */
    size_t next_capacity;
    cnx_stop *next;
    uint32_t arrived; /* the stop that is the goal, or CNX_NONE */
    uint32_t nearly;  /* a node that passes on a pin whose origin was not found, or CNX_NONE */
    uint32_t reason;  /* CNX_GOAL_PIN: the reason that was found */
} cnx_search;

/* Searches breadth first, by number of nodes, from all `starts` at once. */
void cnx_search_run(cnx_search *search, const cnx_stop *starts, size_t count);

/* ---- the chain: explain_chain.c ---- */

/* Steps under construction. Chains with the same beginning share its steps: they form a tree. */
typedef struct cnx_chain {
    cnx_map *map;
    cnx_arena *arena;
    cnx_intern known; /* steps by what they are: number n is step n */
    size_t count;
    size_t capacity;
    cnx_explanation_step *steps;
} cnx_chain;

void cnx_chain_init(cnx_chain *chain, cnx_map *map, cnx_arena *arena);

/* Appends the nodes on the way to `stop` of a finished search. A search for a pin ends with its reason.
 * Returns the number of the last step, or CNX_NONE when there is none. */
uint32_t cnx_chain_add(cnx_chain *chain, const cnx_search *search, uint32_t stop);

/* ---- words: explain_words.c ---- */

/* What one node did to a point, between the value it came by and the value it left by. */
typedef struct cnx_passage {
    uint32_t node;
    const cnx_sighting *from; /* NULL: by no value */
    uint32_t from_position;
    const cnx_sighting *to; /* NULL: it ends here */
    uint32_t to_position;
    uint32_t copies;     /* positions that the node made one of, or 0 */
    bool one_of_copies;  /* from one of them to what they are, not the other way */
    uint32_t block_size; /* of the blocks it went into or came out of, or 0 */
    bool into_block;
    bool same_content; /* left a block for another with the same positions in it */
} cnx_passage;

/* "sums over both", in a few words. */
const char *cnx_passage_words(cnx_arena *arena, const cnx_map *map, const cnx_passage *passage);

/* "features.0.weight:0" */
const char *cnx_sighting_name(cnx_arena *arena, const cnx_map *map, const cnx_sighting *sighting);

/* Where a node is: "" in the main graph, else `then_branch of If "if_1"` and so on outwards. */
const char *cnx_node_surroundings(cnx_arena *arena, const cnx_map *map, uint32_t node);

/* ---- notes: explain_notes.c ---- */

typedef struct cnx_notes {
    cnx_arena *arena;
    const cnx_map *map;
    size_t count;
    size_t capacity;
    const char **texts;
} cnx_notes;

/* The blocks around a point, and whether they move. */
void cnx_note_blocks(cnx_notes *notes, uint32_t point);
/* That other positions of the axis are one with the one at `index`, if so. `axis` is what to call it. */
void cnx_note_copies(cnx_notes *notes, const cnx_labels *labels, uint32_t index, const char *axis);
/* What tells two positions apart that both may move. */
void cnx_note_difference(cnx_notes *notes, const cnx_labels *labels, uint32_t index, uint32_t other);

#endif
