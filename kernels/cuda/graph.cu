/* graph.cu - recording what a stream is given, and running it again. */
#include "kernels/cuda/graph.h"

#include <stdlib.h>

#include <map>

#include "kernels/cuda/backend.h"

enum { MOST_GRAPHS = 256 };

struct graphs {
    std::map<uint64_t, cudaGraphExec_t> of; /* NULL: its calls were made once */
    uint64_t recording;                     /* its key, between begin and end */
};

struct graphs *graphs_open(void)
{
    const char *wanted = getenv("THINKPIPE_GRAPHS");
    return wanted && strcmp(wanted, "off") == 0 ? NULL : new struct graphs();
}

void graphs_clear(struct graphs *g)
{
    if (!g)
        return;
    for (const auto &one : g->of)
        if (one.second)
            cudaGraphExecDestroy(one.second);
    g->of.clear();
}

void graphs_close(struct graphs *g)
{
    graphs_clear(g);
    delete g;
}

enum graph_state cuda_graph_begin(struct dev *dev, uint64_t key)
{
    struct graphs *g = cuda_state(dev)->graphs;
    if (!g || dev->error)
        return GRAPH_PLAIN;
    auto found = g->of.find(key);
    if (found == g->of.end()) {
        if (g->of.size() >= MOST_GRAPHS)
            graphs_clear(g);
        g->of[key] = NULL;
        return GRAPH_PLAIN;
    }
    if (found->second) {
        cuda_check(dev, cudaGraphLaunch(found->second, cuda_stream(dev)));
        return GRAPH_RAN;
    }
    if (!cuda_check(dev, cudaStreamBeginCapture(cuda_stream(dev), cudaStreamCaptureModeThreadLocal)))
        return GRAPH_PLAIN;
    g->recording = key;
    return GRAPH_RECORDS;
}

void cuda_graph_end(struct dev *dev)
{
    struct graphs *g = cuda_state(dev)->graphs;
    cudaGraph_t graph = NULL;
    cudaGraphExec_t exec = NULL;
    bool ok = cuda_check(dev, cudaStreamEndCapture(cuda_stream(dev), &graph)) &&
              cuda_check(dev, cudaGraphInstantiate(&exec, graph, 0));
    if (graph)
        cudaGraphDestroy(graph);
    if (!ok)
        return;
    g->of[g->recording] = exec;
    cuda_check(dev, cudaGraphLaunch(exec, cuda_stream(dev)));
}
