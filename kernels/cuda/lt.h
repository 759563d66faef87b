/* lt.h - cuBLASLt, opened when it is there: only its header is needed to build. */
#ifndef TP_KERNELS_CUDA_LT_H
#define TP_KERNELS_CUDA_LT_H

#ifdef __CUDACC__
#include <cublasLt.h>
#else
#include "kernels/emu/cublaslt.h"
#endif

struct lt {
    cublasLtHandle_t handle;
    decltype(&cublasLtCreate) create;
    decltype(&cublasLtDestroy) destroy;
    decltype(&cublasLtMatmulDescCreate) desc_create;
    decltype(&cublasLtMatmulDescDestroy) desc_destroy;
    decltype(&cublasLtMatmulDescSetAttribute) desc_set;
    decltype(&cublasLtMatrixLayoutCreate) layout_create;
    decltype(&cublasLtMatrixLayoutDestroy) layout_destroy;
    decltype(&cublasLtMatmulPreferenceCreate) preference_create;
    decltype(&cublasLtMatmulPreferenceDestroy) preference_destroy;
    decltype(&cublasLtMatmulPreferenceSetAttribute) preference_set;
    decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic;
    decltype(&cublasLtMatmul) matmul;
};

/* False without the library, or with THINKPIPE_PRODUCTS=own. */
bool lt_open(struct lt *lt);
void lt_close(struct lt *lt);

#endif
