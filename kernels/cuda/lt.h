/* lt.h - cuBLASLt, opened when it is there: only its header is needed to build. */
#ifndef TP_KERNELS_CUDA_LT_H
#define TP_KERNELS_CUDA_LT_H

#ifdef __CUDACC__
#include <cublasLt.h>
#else
#include "kernels/emu/cublaslt.h"
#endif

/* Member and function of each call that is used. */
#define LT_CALLS(X)                                                 \
    X(create, cublasLtCreate)                                       \
    X(destroy, cublasLtDestroy)                                     \
    X(desc_create, cublasLtMatmulDescCreate)                        \
    X(desc_destroy, cublasLtMatmulDescDestroy)                      \
    X(desc_set, cublasLtMatmulDescSetAttribute)                     \
    X(layout_create, cublasLtMatrixLayoutCreate)                    \
    X(layout_destroy, cublasLtMatrixLayoutDestroy)                  \
    X(preference_create, cublasLtMatmulPreferenceCreate)            \
    X(preference_destroy, cublasLtMatmulPreferenceDestroy)          \
    X(preference_set, cublasLtMatmulPreferenceSetAttribute)         \
    X(heuristic, cublasLtMatmulAlgoGetHeuristic)                    \
    X(check, cublasLtMatmulAlgoCheck)                               \
    X(version, cublasLtGetVersion)                                  \
    X(matmul, cublasLtMatmul)

struct lt {
    cublasLtHandle_t handle;
#define MEMBER(name, function) decltype(&function) name;
    LT_CALLS(MEMBER)
#undef MEMBER
};

/* False without the library, or with THINKPIPE_PRODUCTS=own. */
bool lt_open(struct lt *lt);
void lt_close(struct lt *lt);

#endif
