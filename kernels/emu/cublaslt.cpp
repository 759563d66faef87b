/* cublaslt.cpp - see cublaslt.h.  Column-major, as the library: element (i, j) at i + j * ld. */
#include "kernels/emu/cublaslt.h"

#include <stdlib.h>

#include <algorithm>
#include <vector>

struct emu_lt {
    int unused;
};
struct emu_lt_desc {
    cublasOperation_t op[2];
    cublasLtEpilogue_t epilogue;
    const void *bias;
};
struct emu_lt_layout {
    cudaDataType_t type;
    uint64_t rows, cols;
    int64_t ld;
};
struct emu_lt_preference {
    uint32_t reductions, alignment[4];
    size_t workspace;
};

template <class T> static cublasStatus_t make(T **p)
{
    *p = (T *)calloc(1, sizeof **p);
    return *p ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

template <class T> static cublasStatus_t unmake(T *p)
{
    free(p);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle)
{
    return make(handle);
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle)
{
    return unmake(handle);
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *desc, cublasComputeType_t compute, cudaDataType_t scale)
{
    return compute == CUBLAS_COMPUTE_32F && scale == CUDA_R_32F ? make(desc) : CUBLAS_STATUS_NOT_SUPPORTED;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc)
{
    return unmake(desc);
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t attribute,
                                              const void *value, size_t bytes)
{
    cudaDataType_t type;
    switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA: memcpy(&desc->op[0], value, bytes); break;
    case CUBLASLT_MATMUL_DESC_TRANSB: memcpy(&desc->op[1], value, bytes); break;
    case CUBLASLT_MATMUL_DESC_EPILOGUE: memcpy(&desc->epilogue, value, bytes); break;
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER: memcpy(&desc->bias, value, bytes); break;
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
        memcpy(&type, value, bytes);
        return type == CUDA_R_16BF ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
    default: return CUBLAS_STATUS_INVALID_VALUE;
    }
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *layout, cudaDataType_t type, uint64_t rows,
                                          uint64_t cols, int64_t ld)
{
    if (ld < (int64_t)rows || make(layout) != CUBLAS_STATUS_SUCCESS)
        return CUBLAS_STATUS_INVALID_VALUE;
    **layout = {type, rows, cols, ld};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout)
{
    return unmake(layout);
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *p)
{
    if (make(p) != CUBLAS_STATUS_SUCCESS)
        return CUBLAS_STATUS_INVALID_VALUE;
    for (uint32_t &bytes : (*p)->alignment)
        bytes = 256;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t p)
{
    return unmake(p);
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t p,
                                                    cublasLtMatmulPreferenceAttributes_t attribute, const void *value,
                                                    size_t bytes)
{
    void *to = attribute == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK ? (void *)&p->reductions
               : attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES ? (void *)&p->workspace
                                                                       : p->alignment + attribute - 5;
    if (bytes != (attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES ? sizeof p->workspace : sizeof *p->alignment))
        return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(to, value, bytes);
    return CUBLAS_STATUS_SUCCESS;
}

/* Algorithm 0 or 1, and what it counts on. */
static cublasLtMatmulHeuristicResult_t named(uint64_t algorithm, const emu_lt_preference *p)
{
    cublasLtMatmulHeuristicResult_t r = {};
    r.algo.data[0] = algorithm;
    for (int i = 0; i < 4; i++)
        r.algo.data[1 + i] = p->alignment[i];
    return r;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t p, int most,
                                              cublasLtMatmulHeuristicResult_t *found, int *n)
{
    const char *mode = getenv("EMU_LT");
    if (mode && strcmp(mode, "none") == 0)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    bool few = d->cols <= 64, only = d->cols > 16 && few && mode && strcmp(mode, "split") == 0;
    if (most < 3 || (desc->epilogue == CUBLASLT_EPILOGUE_BIAS && d->type == CUDA_R_32F))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    if (p->reductions != CUBLASLT_REDUCTION_SCHEME_NONE)
        return CUBLAS_STATUS_NOT_SUPPORTED; /* the backend must have ruled out split-K */
    *n = only ? 2 : 3;
    found[0] = named(2, p);
    found[0].state = CUBLAS_STATUS_NOT_SUPPORTED;
    found[1] = named(few, p);
    found[2] = named(!few, p);
    return CUBLAS_STATUS_SUCCESS;
}

size_t cublasLtGetVersion(void)
{
    const char *version = getenv("EMU_LT_VERSION");
    return version ? (size_t)atoi(version) : 130000;
}

cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t,
                                       cublasLtMatrixLayout_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                       const cublasLtMatmulAlgo_t *algo, cublasLtMatmulHeuristicResult_t *result)
{
    *result = {*algo, 0, algo->data[0] <= 1 ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED};
    return result->state;
}

static float value_at(const void *p, const emu_lt_layout *l, cublasOperation_t op, uint64_t i, uint64_t j)
{
    uint64_t at = op == CUBLAS_OP_T ? j + i * (uint64_t)l->ld : i + j * (uint64_t)l->ld;
    return l->type == CUDA_R_32F ? ((const float *)p)[at] : __bfloat162float(((const __nv_bfloat16 *)p)[at]);
}

/* One call, with all that the caller may change or release after it. */
struct call {
    emu_lt_desc desc;
    emu_lt_layout a_layout, b_layout, c_layout, d_layout;
    float alpha, beta;
    const void *a, *b, *c;
    void *d;
    bool halves; /* the algorithm */
};

static bool is_aligned(const void *p, uint64_t bytes)
{
    return (uintptr_t)p % (bytes ? bytes : 1) == 0;
}

static bool is_taken(const struct call *p, const cublasLtMatmulAlgo_t *algo)
{
    const bool bias = p->desc.epilogue == CUBLASLT_EPILOGUE_BIAS;
    return algo->data[0] <= 1 && is_aligned(p->a, algo->data[1]) && is_aligned(p->b, algo->data[2]) &&
           is_aligned(p->c, algo->data[3]) && is_aligned(p->d, algo->data[4]) &&
           (!bias || is_aligned(p->desc.bias, algo->data[4]));
}

static uint64_t depth(const struct call *p)
{
    return p->desc.op[0] == CUBLAS_OP_T ? p->a_layout.rows : p->a_layout.cols;
}

static bool fits(const struct call *p)
{
    const emu_lt_layout &a = p->a_layout, &b = p->b_layout;
    return depth(p) == (p->desc.op[1] == CUBLAS_OP_T ? b.cols : b.rows) &&
           (p->desc.op[0] == CUBLAS_OP_T ? a.cols : a.rows) == p->d_layout.rows &&
           (p->desc.op[1] == CUBLAS_OP_T ? b.rows : b.cols) == p->d_layout.cols;
}

static void multiply(const struct call *p)
{
    uint64_t m = p->d_layout.rows, n = p->d_layout.cols, k = depth(p), half = p->halves ? k / 2 : 0;
    std::vector<float> first(m * k), low(m), high(m);
    for (uint64_t q = 0; q < k; q++)
        for (uint64_t i = 0; i < m; i++)
            first[q * m + i] = value_at(p->a, &p->a_layout, p->desc.op[0], i, q);
    for (uint64_t j = 0; j < n; j++) {
        std::fill(low.begin(), low.end(), 0.0f);
        std::fill(high.begin(), high.end(), 0.0f);
        for (uint64_t q = k; q-- > 0;) {
            float y = value_at(p->b, &p->b_layout, p->desc.op[1], q, j), *sum = q < half ? low.data() : high.data();
            for (uint64_t i = 0; i < m; i++)
                sum[i] += first[q * m + i] * y;
        }
        for (uint64_t i = 0; i < m; i++) {
            float x = p->alpha * (low[i] + high[i]);
            if (p->beta != 0)
                x += p->beta * value_at(p->c, &p->c_layout, CUBLAS_OP_N, i, j);
            if (p->desc.epilogue == CUBLASLT_EPILOGUE_BIAS)
                x += __bfloat162float(((const __nv_bfloat16 *)p->desc.bias)[i]);
            uint64_t at = i + j * (uint64_t)p->d_layout.ld;
            if (p->d_layout.type == CUDA_R_32F)
                ((float *)p->d)[at] = x;
            else
                ((__nv_bfloat16 *)p->d)[at] = __float2bfloat16_rn(x);
        }
    }
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t desc, const void *alpha, const void *a,
                              cublasLtMatrixLayout_t a_layout, const void *b, cublasLtMatrixLayout_t b_layout,
                              const void *beta, const void *c, cublasLtMatrixLayout_t c_layout, void *d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t *algo, void *, size_t,
                              cudaStream_t stream)
{
    struct call p = {*desc, *a_layout, *b_layout, *c_layout, *d_layout, *(const float *)alpha, *(const float *)beta,
                     a, b, c, d, algo->data[0] != 0};
    if (!fits(&p) || !is_taken(&p, algo))
        return CUBLAS_STATUS_INVALID_VALUE;
    emu_submit(stream, [=]() { multiply(&p); });
    return CUBLAS_STATUS_SUCCESS;
}
