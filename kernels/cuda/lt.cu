/* lt.cu - opening cuBLASLt. */
#include "kernels/cuda/lt.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#ifdef __CUDACC__
/* The version of the header alone: its structures are not another's. */
#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
static void *open_library(void)
{
    return dlopen("libcublasLt.so." TEXT(CUBLAS_VER_MAJOR), RTLD_NOW | RTLD_LOCAL);
}
#define FIND(library, fn) ((decltype(&fn))dlsym(library, #fn))
#else
static void *open_library(void)
{
    return dlopen(NULL, RTLD_NOW);
}
#define FIND(library, fn) ((void)(library), &fn)
#endif

bool lt_open(struct lt *lt)
{
    const char *wanted = getenv("THINKPIPE_PRODUCTS");
    memset(lt, 0, sizeof *lt);
    void *l = wanted && strcmp(wanted, "own") == 0 ? NULL : open_library(); /* stays open */
    if (!l)
        return false;
    lt->create = FIND(l, cublasLtCreate);
    lt->destroy = FIND(l, cublasLtDestroy);
    lt->desc_create = FIND(l, cublasLtMatmulDescCreate);
    lt->desc_destroy = FIND(l, cublasLtMatmulDescDestroy);
    lt->desc_set = FIND(l, cublasLtMatmulDescSetAttribute);
    lt->layout_create = FIND(l, cublasLtMatrixLayoutCreate);
    lt->layout_destroy = FIND(l, cublasLtMatrixLayoutDestroy);
    lt->preference_create = FIND(l, cublasLtMatmulPreferenceCreate);
    lt->preference_destroy = FIND(l, cublasLtMatmulPreferenceDestroy);
    lt->preference_set = FIND(l, cublasLtMatmulPreferenceSetAttribute);
    lt->heuristic = FIND(l, cublasLtMatmulAlgoGetHeuristic);
    lt->matmul = FIND(l, cublasLtMatmul);
    if (!lt->create || !lt->destroy || !lt->desc_create || !lt->desc_destroy || !lt->desc_set || !lt->layout_create ||
        !lt->layout_destroy || !lt->preference_create || !lt->preference_destroy || !lt->preference_set ||
        !lt->heuristic || !lt->matmul)
        return false;
    return lt->create(&lt->handle) == CUBLAS_STATUS_SUCCESS;
}

void lt_close(struct lt *lt)
{
    if (lt->handle)
        lt->destroy(lt->handle);
    lt->handle = NULL;
}
