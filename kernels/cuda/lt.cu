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
    bool all = true;
#define LOAD(name, function) all = (lt->name = FIND(l, function)) != NULL && all;
    LT_CALLS(LOAD)
#undef LOAD
    if (!all)
        return false;
    return lt->create(&lt->handle) == CUBLAS_STATUS_SUCCESS;
}

void lt_close(struct lt *lt)
{
    if (lt->handle)
        lt->destroy(lt->handle);
    lt->handle = NULL;
}
