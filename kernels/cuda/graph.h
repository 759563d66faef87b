/* graph.h - calls that are recorded once and run again as a whole: a step of decoding is hundreds of short kernels, and
 * a launch each takes longer than the kernels (kernels-cuda.md, section 6: launches dominate at small batches). */
#ifndef TP_KERNELS_CUDA_GRAPH_H
#define TP_KERNELS_CUDA_GRAPH_H

#include "kernels/ops.h"

struct graphs;

/* NULL with THINKPIPE_GRAPHS=off: every call is a launch. */
struct graphs *graphs_open(void);
void graphs_close(struct graphs *g);
/* Forgets them all: memory that they use is going to be freed. */
void graphs_clear(struct graphs *g);

enum graph_state cuda_graph_begin(struct dev *dev, uint64_t key);
void cuda_graph_end(struct dev *dev);

#endif
