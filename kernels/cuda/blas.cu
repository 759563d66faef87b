/* blas.cu - bf16 products by cuBLASLt, without split-K, and what keeps them exact.
 *
 * A row of y or dx must have the same bits whatever the number of rows, in every process: at the first use of a weight's
 * shape algorithms are tried, one for each bucket of M, until all of them give the rows of the largest bucket; if that
 * fails the shape is left to our own kernel.  Which ones are found depends on the shape, the device and the library alone.
 * The rows they are tried on cancel: what is left of each sum are the roundings on the way, so that another order of k shows
 * in almost every element, also after rounding to bf16 (of sums that do not cancel, most bf16 are the same in any order).
 * Found plans are kept in a file (store.h) for this GPU, driver and library; the library is asked about those that are read.
 * A weight's gradient needs no more than the same bits in the same shape, which one heuristic gives.
 * The trap that buckets avoid (one algorithm for a thousand rows starves decoding) and the rule are those of vLLM's and
 * SGLang's batch-invariant modes; splitting K is what varies with M.
 */
#include "kernels/cuda/blas.h"

#include <stdlib.h>

#include <map>
#include <string>
#include <tuple>

#include "kernels/cuda/lt.h"
#include "kernels/cuda/product.h"
#include "kernels/cuda/store.h"

enum { BUCKETS = 5, CANDIDATES = 8, WORKSPACE = 32 << 20, MOST_PLANS = 4096, ALIGNED = 16 };
static const int64_t bucket_end[BUCKETS] = {16, 64, 256, 1024, 4096}; /* the last one takes all above, too */
#ifdef __CUDACC__
static const size_t PROOF_BYTES = 256 << 20; /* of C, most */
#else
static const size_t PROOF_BYTES = 256 << 10;
#endif

/* How to run one shape; empty: by our own kernel. */
struct plan {
    bool usable;
    cublasLtMatmulAlgo_t algo;
};

struct row_plans {
    struct plan of[BUCKETS];
};

/* b_down, out_acc, accumulate, bias; M (0: any), N, K */
typedef std::tuple<bool, bool, bool, bool, int64_t, int64_t, int64_t> shape_key;

struct blas {
    struct lt lt;
    struct store store;
    void *workspace;
    std::map<shape_key, struct row_plans> of_rows; /* y and dx */
    std::map<shape_key, struct plan> of_weights;   /* dw */
};

/* The same product in cuBLASLt's column-major terms: D' [N, M] = B' A'. */
struct call {
    cublasLtMatmulDesc_t desc;
    cublasLtMatrixLayout_t first, second, out;
};

static void release(struct lt *lt, struct call *c)
{
    if (c->desc)
        lt->desc_destroy(c->desc);
    cublasLtMatrixLayout_t layouts[] = {c->first, c->second, c->out};
    for (cublasLtMatrixLayout_t l : layouts)
        if (l)
            lt->layout_destroy(l);
}

static bool make_layout(struct lt *lt, cublasLtMatrixLayout_t *l, cudaDataType_t type, int64_t rows, int64_t cols, int64_t ld)
{
    return lt->layout_create(l, type, (uint64_t)rows, (uint64_t)cols, ld) == CUBLAS_STATUS_SUCCESS;
}

static bool prepare(struct lt *lt, const struct product *g, struct order o, struct call *c)
{
    cublasOperation_t first = o.b_down ? CUBLAS_OP_N : CUBLAS_OP_T, second = o.a_down ? CUBLAS_OP_T : CUBLAS_OP_N;
    cublasLtEpilogue_t epilogue = g->bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
    cudaDataType_t bias_type = CUDA_R_16BF;
    memset(c, 0, sizeof *c);
    bool ok = lt->desc_create(&c->desc, CUBLAS_COMPUTE_32F, CUDA_R_32F) == CUBLAS_STATUS_SUCCESS &&
              lt->desc_set(c->desc, CUBLASLT_MATMUL_DESC_TRANSA, &first, sizeof first) == CUBLAS_STATUS_SUCCESS &&
              lt->desc_set(c->desc, CUBLASLT_MATMUL_DESC_TRANSB, &second, sizeof second) == CUBLAS_STATUS_SUCCESS &&
              lt->desc_set(c->desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue) == CUBLAS_STATUS_SUCCESS;
    if (ok && g->bias)
        ok = lt->desc_set(c->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &g->bias, sizeof g->bias) == CUBLAS_STATUS_SUCCESS &&
             lt->desc_set(c->desc, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, &bias_type, sizeof bias_type) == CUBLAS_STATUS_SUCCESS;
    ok = ok && make_layout(lt, &c->first, CUDA_R_16BF, o.b_down ? g->N : g->K, o.b_down ? g->K : g->N, g->b.ld) &&
         make_layout(lt, &c->second, CUDA_R_16BF, o.a_down ? g->M : g->K, o.a_down ? g->K : g->M, g->a.ld) &&
         make_layout(lt, &c->out, o.out_acc ? CUDA_R_32F : CUDA_R_16BF, g->N, g->M, g->N);
    if (!ok)
        release(lt, c);
    return ok;
}

template <class T>
static bool prefer(struct lt *lt, cublasLtMatmulPreference_t p, cublasLtMatmulPreferenceAttributes_t what, T value)
{
    return lt->preference_set(p, what, &value, sizeof value) == CUBLAS_STATUS_SUCCESS;
}

/* No split-K, no more workspace than there is, and no algorithm that counts on more alignment than rows have (the
 * default is 256 bytes, and a chunk of rows may begin anywhere). */
static bool set_preferences(struct lt *lt, cublasLtMatmulPreference_t p)
{
    const uint32_t bytes = ALIGNED;
    return prefer(lt, p, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, (uint32_t)CUBLASLT_REDUCTION_SCHEME_NONE) &&
           prefer(lt, p, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, (size_t)WORKSPACE) &&
           prefer(lt, p, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, bytes) &&
           prefer(lt, p, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, bytes) &&
           prefer(lt, p, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, bytes) &&
           prefer(lt, p, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, bytes);
}

/* The heuristic's choices for this very shape that can be used, best first; returns how many. */
static int candidates(struct lt *lt, const struct call *c, cublasLtMatmulHeuristicResult_t *found)
{
    cublasLtMatmulPreference_t p;
    int n = 0, kept = 0;
    if (lt->preference_create(&p) != CUBLAS_STATUS_SUCCESS)
        return 0;
    if (!set_preferences(lt, p) || lt->heuristic(lt->handle, c->desc, c->first, c->second, c->out, c->out, p, CANDIDATES,
                                                 found, &n) != CUBLAS_STATUS_SUCCESS)
        n = 0;
    lt->preference_destroy(p);
    for (int i = 0; i < n; i++)
        if (found[i].state == CUBLAS_STATUS_SUCCESS && found[i].workspaceSize <= WORKSPACE)
            found[kept++] = found[i];
    return kept;
}

static bool launch(struct dev *dev, const struct product *g, const struct call *c, const cublasLtMatmulAlgo_t *algo)
{
    struct blas *b = cuda_state(dev)->blas;
    float one = 1, beta = g->accumulate ? 1 : 0;
    return b->lt.matmul(b->lt.handle, c->desc, &one, g->b.p, c->first, g->a.p, c->second, &beta, g->c, c->out, g->c, c->out,
                        algo, b->workspace, WORKSPACE, cuda_stream(dev)) == CUBLAS_STATUS_SUCCESS;
}

static bool run_with(struct dev *dev, const struct product *g, struct order o, const struct plan *plan)
{
    struct lt *lt = &cuda_state(dev)->blas->lt;
    struct call c;
    if (!plan->usable || !prepare(lt, g, o, &c))
        return false;
    bool ok = launch(dev, g, &c, &plan->algo);
    release(lt, &c);
    return ok;
}

/* --- the proof --- */

/* Element (i, k), |x| < 1: the second half of k repeats the first, in B with the other sign; an odd k is 0. */
static __global__ void fill(struct operand x, int64_t K, bool down, bool negate)
{
    int64_t e = (int64_t)blockIdx.x * blockDim.x + threadIdx.x, i = e / K, k = e % K, half = K / 2;
    if (i >= x.n)
        return;
    uint32_t h = (uint32_t)(i * half + k % half) * 2654435761u;
    h = (h ^ h >> 15) * 2246822519u;
    h ^= h >> 13;
    float v = k < 2 * half ? (float)(int32_t)h * (1.0f / 2147483648.0f) : 0.0f;
    ((bf16 *)x.p)[down ? k * x.ld + i : i * x.ld + k] = f2bf(negate && k >= half ? -v : v);
}

static __global__ void count_differences(int *n_different, const uint16_t *x, const uint16_t *y, int64_t n)
{
    int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n && x[i] != y[i])
        *n_different = 1; /* whoever writes it, writes the same */
}

/* Operands of random numbers, the products of all rows by the largest bucket's algorithm, and of some. */
struct proof {
    struct product g; /* with operands of its own */
    char *want, *got;
    int *different;
};

static bool agrees(struct dev *dev, struct proof *p, struct order o, const struct plan *plan, int64_t M)
{
    size_t bytes = (size_t)M * (size_t)p->g.N * (o.out_acc ? 4 : 2);
    int differ = 1;
    struct product g = p->g;
    g.M = g.a.n = M;
    g.c = p->got;
    g.accumulate = 0;
    if (!run_with(dev, &g, o, plan))
        return false;
    cuda_zero(dev, p->different, sizeof *p->different);
    LAUNCH(count_differences, cuda_blocks((int64_t)bytes / 2, 256), 256, 0, cuda_stream(dev), p->different,
           (const uint16_t *)p->got, (const uint16_t *)p->want, (int64_t)bytes / 2);
    cuda_download(dev, &differ, p->different, sizeof differ);
    return !differ && !dev->error;
}

/* The first of the candidates for `M` rows that agrees for M rows and for `fewest`. */
static bool find_plan(struct dev *dev, struct proof *p, struct order o, int64_t M, int64_t fewest, struct plan *plan)
{
    cublasLtMatmulHeuristicResult_t found[CANDIDATES];
    struct product g = p->g;
    struct call c;
    g.M = g.a.n = M;
    if (!prepare(&cuda_state(dev)->blas->lt, &g, o, &c))
        return false;
    int n = candidates(&cuda_state(dev)->blas->lt, &c, found);
    release(&cuda_state(dev)->blas->lt, &c);
    for (int i = 0; i < n; i++) {
        *plan = {true, found[i].algo};
        if (agrees(dev, p, o, plan, M) && agrees(dev, p, o, plan, fewest))
            return true;
    }
    plan->usable = false;
    return false;
}

/* What the first candidate of the largest bucket makes of the rows is what all must make. */
static bool set_standard(struct dev *dev, struct proof *p, struct order o, int64_t M)
{
    cublasLtMatmulHeuristicResult_t found[CANDIDATES];
    struct product g = p->g;
    struct call c;
    g.M = g.a.n = M;
    g.c = p->want;
    g.accumulate = 0;
    if (!prepare(&cuda_state(dev)->blas->lt, &g, o, &c))
        return false;
    bool ok = candidates(&cuda_state(dev)->blas->lt, &c, found) > 0 && launch(dev, &g, &c, &found[0].algo);
    release(&cuda_state(dev)->blas->lt, &c);
    return ok;
}

static void prove(struct dev *dev, struct proof *p, struct order o, int64_t most, struct row_plans *plans)
{
    int64_t K = p->g.K;
    LAUNCH(fill, cuda_blocks(most * K, 256), 256, 0, cuda_stream(dev), p->g.a, K, false, false);
    LAUNCH(fill, cuda_blocks(p->g.N * K, 256), 256, 0, cuda_stream(dev), p->g.b, K, o.b_down, true);
    bool ok = set_standard(dev, p, o, most);
    int64_t fewest = 1;
    for (int b = 0; b < BUCKETS && ok; b++) {
        if (fewest <= most)
            ok = find_plan(dev, p, o, bucket_end[b] < most ? bucket_end[b] : most, fewest, &plans->of[b]);
        else
            plans->of[b] = plans->of[b - 1];
        fewest = bucket_end[b] + 1;
    }
    if (!ok)
        memset(plans, 0, sizeof *plans);
}

/* As many rows as PROOF_BYTES hold; the algorithm of the last bucket that has such rows takes all above. */
static int64_t proof_rows(int64_t N, bool out_acc)
{
    int64_t most = (int64_t)(PROOF_BYTES / ((size_t)N * (out_acc ? 4 : 2)));
    return most < 1 ? 1 : most < bucket_end[BUCKETS - 1] ? most : bucket_end[BUCKETS - 1];
}

static size_t proof_bytes(int64_t N, int64_t K, bool out_acc)
{
    size_t rows = (size_t)proof_rows(N, out_acc), n = (size_t)N, k = (size_t)K;
    return (rows * k + n * k + n) * sizeof(bf16) + 2 * rows * n * (out_acc ? 4 : 2) + 6 * 256;
}

size_t blas_search_bytes(const struct scratch_use *u)
{
    const int64_t qkv = (u->n_heads + 2 * u->n_kv_heads) * u->head_dim, out = u->n_heads * u->head_dim;
    const int64_t shapes[][2] = {{qkv, u->dim}, {u->dim, out}, {2 * u->hidden_dim, u->dim}, {u->dim, u->hidden_dim},
                                 {u->vocab, u->dim}};
    size_t most = 0;
    for (const auto &s : shapes)
        for (int turned = 0; turned < 2; turned++) { /* of x, and of dy */
            size_t bytes = proof_bytes(s[turned], s[!turned], true);
            most = bytes > most ? bytes : most;
        }
    return most;
}

static struct row_plans find_row_plans(struct dev *dev, const struct product *g, struct order o)
{
    struct row_plans plans = {};
    struct proof p = {*g, NULL, NULL, NULL};
    size_t row = (size_t)g->N * (o.out_acc ? 4 : 2);
    int64_t most = proof_rows(g->N, o.out_acc);
    void *x = cuda_alloc(dev, (size_t)(most * g->K) * sizeof(bf16));
    void *w = cuda_alloc(dev, (size_t)(g->N * g->K) * sizeof(bf16));
    void *bias = cuda_alloc(dev, (size_t)g->N * sizeof(bf16));
    p.want = (char *)cuda_alloc(dev, (size_t)most * row);
    p.got = (char *)cuda_alloc(dev, (size_t)most * row);
    p.different = (int *)cuda_alloc(dev, sizeof *p.different);
    if (x && w && bias && p.want && p.got && p.different) {
        cuda_zero(dev, bias, (size_t)g->N * sizeof(bf16));
        p.g.a = {x, g->K, most, 1};
        p.g.b = {w, o.b_down ? g->N : g->K, g->N, 1};
        p.g.bias = g->bias ? bias : NULL;
        prove(dev, &p, o, most, &plans);
    } else {
        /* going on would give other bits than in a process that has the memory */
        cuda_fail(dev, "out of memory for the search for exact products (THINKPIPE_PRODUCTS=own does without)");
    }
    void *all[] = {x, w, bias, p.want, p.got, p.different};
    for (void *one : all)
        cuda_free(dev, one);
    return plans;
}

/* --- plans as lines of the store --- */

static std::string shape_name(const struct product *g, struct order o)
{
    char name[100];
    snprintf(name, sizeof name, "N %lld K %lld%s%s%s%s", (long long)g->N, (long long)g->K, o.b_down ? " down" : "",
             o.out_acc ? " fp32" : "", g->accumulate ? " accumulate" : "", g->bias ? " bias" : "");
    return name;
}

/* A word a bucket: the algorithm's bytes, or "own". */
static std::string plans_text(const struct row_plans *plans)
{
    std::string text;
    for (const struct plan &p : plans->of) {
        text += text.empty() ? "" : " ";
        for (size_t i = 0; p.usable && i < sizeof p.algo; i++) {
            char digits[3];
            snprintf(digits, sizeof digits, "%02x", ((const unsigned char *)&p.algo)[i]);
            text += digits;
        }
        text += p.usable ? "" : "own";
    }
    return text;
}

static bool read_plan(const std::string &word, struct plan *p)
{
    memset(p, 0, sizeof *p);
    p->usable = word != "own";
    if (p->usable && (word.size() != 2 * sizeof p->algo || word.find_first_not_of("0123456789abcdef") != std::string::npos))
        return false;
    for (size_t i = 0; p->usable && i < sizeof p->algo; i++)
        ((unsigned char *)&p->algo)[i] = (unsigned char)strtoul(word.substr(2 * i, 2).c_str(), NULL, 16);
    return true;
}

/* Whether the library still takes the algorithm, for M rows. */
static bool is_taken(struct lt *lt, const struct product *of, struct order o, const struct plan *p, int64_t M)
{
    cublasLtMatmulHeuristicResult_t result;
    struct product g = *of;
    struct call c;
    g.M = g.a.n = M;
    if (!prepare(lt, &g, o, &c))
        return false;
    bool ok = lt->check(lt->handle, c.desc, c.first, c.second, c.out, c.out, &p->algo, &result) == CUBLAS_STATUS_SUCCESS &&
              result.workspaceSize <= WORKSPACE;
    release(lt, &c);
    return ok;
}

static bool stored_plans(struct blas *b, const struct product *g, struct order o, struct row_plans *plans)
{
    const std::string *line = store_find(&b->store, shape_name(g, o));
    size_t at = 0;
    if (!line)
        return false;
    for (int i = 0; i < BUCKETS; i++) {
        size_t end = line->find(' ', at);
        struct plan *p = &plans->of[i];
        if ((end == std::string::npos) != (i == BUCKETS - 1) || !read_plan(line->substr(at, end - at), p) ||
            (p->usable && !is_taken(&b->lt, g, o, p, bucket_end[i])))
            return false;
        at = end + 1;
    }
    return true;
}

static struct row_plans row_plans_of(struct dev *dev, const struct product *g, struct order o)
{
    struct blas *b = cuda_state(dev)->blas;
    struct row_plans plans;
    if (stored_plans(b, g, o, &plans))
        return plans;
    plans = find_row_plans(dev, g, o);
    if (!dev->error)
        store_put(&b->store, shape_name(g, o), plans_text(&plans));
    return plans;
}

static const struct plan *plan_of_rows(struct dev *dev, const struct product *g, struct order o)
{
    struct blas *b = cuda_state(dev)->blas;
    shape_key key(o.b_down, o.out_acc, g->accumulate, g->bias != NULL, 0, g->N, g->K);
    auto found = b->of_rows.find(key);
    if (found == b->of_rows.end())
        found = b->of_rows.emplace(key, row_plans_of(dev, g, o)).first;
    for (int i = 0; i < BUCKETS - 1; i++)
        if (g->M <= bucket_end[i])
            return &found->second.of[i];
    return &found->second.of[BUCKETS - 1];
}

static const struct plan *plan_of_weight(struct dev *dev, const struct product *g, struct order o)
{
    struct blas *b = cuda_state(dev)->blas;
    shape_key key(o.b_down, o.out_acc, g->accumulate, false, g->M, g->N, g->K);
    auto known = b->of_weights.find(key);
    if (known != b->of_weights.end())
        return &known->second;
    cublasLtMatmulHeuristicResult_t found[CANDIDATES];
    struct plan plan = {};
    struct call c;
    if (prepare(&b->lt, g, o, &c)) {
        if (candidates(&b->lt, &c, found) > 0)
            plan = {true, found[0].algo};
        release(&b->lt, &c);
    }
    if (b->of_weights.size() >= MOST_PLANS)
        b->of_weights.clear();
    return &b->of_weights.emplace(key, plan).first->second;
}

bool cuda_blas(struct dev *dev, const struct product *g, struct order o)
{
    bool aligned = g->a.whole && g->b.whole && g->N % 8 == 0 && ((uintptr_t)g->c | (uintptr_t)g->bias) % ALIGNED == 0;
    if (!cuda_state(dev)->blas || !aligned || g->K < 2)
        return false;
    const struct plan *plan = o.a_down ? plan_of_weight(dev, g, o) : plan_of_rows(dev, g, o);
    if (dev->error || !plan->usable)
        return dev->error != NULL;
    if (!run_with(dev, g, o, plan)) /* our own kernel would give other bits */
        cuda_fail(dev, "cuBLASLt refused a product (THINKPIPE_PRODUCTS=own does without it)");
    return true;
}

/* What plans depend on. */
static std::string found_with(struct lt *lt)
{
    struct cudaDeviceProp gpu;
    int device = 0, driver = 0;
    if (cudaGetDevice(&device) != cudaSuccess || cudaGetDeviceProperties(&gpu, device) != cudaSuccess ||
        cudaDriverGetVersion(&driver) != cudaSuccess)
        return "";
    return std::string("thinkpipe products 1: ") + gpu.name + ", " + std::to_string(gpu.multiProcessorCount) +
           " processors, driver " + std::to_string(driver) + ", cuBLASLt " + std::to_string(lt->version());
}

struct blas *blas_open(struct dev *dev)
{
    struct blas *b = new struct blas();
    if (lt_open(&b->lt) && (b->workspace = cuda_alloc(dev, WORKSPACE)) != NULL) {
        const std::string title = found_with(&b->lt);
        if (!title.empty())
            store_open(&b->store, title);
        return b;
    }
    lt_close(&b->lt);
    delete b;
    return NULL;
}

void blas_close(struct dev *dev, struct blas *b)
{
    if (!b)
        return;
    cuda_free(dev, b->workspace);
    lt_close(&b->lt);
    delete b;
}
