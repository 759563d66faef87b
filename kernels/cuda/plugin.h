/* plugin.h - the one function that a GPU backend exports; programs open it at run time. */
#ifndef TP_KERNELS_CUDA_PLUGIN_H
#define TP_KERNELS_CUDA_PLUGIN_H

#include "kernels/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PLUGIN_SYMBOL "thinkpipe_plugin"

struct plugin {
    int abi; /* OPS_ABI */
    /* Opens device number `index`: dev is zeroed first.  0, or -1 with *error set to a static text. */
    int (*open)(struct dev *dev, enum dtype dtype, int index, const char **error);
    void (*close)(struct dev *dev);
};

typedef const struct plugin *plugin_fn(void);

#ifdef __cplusplus
}
#endif

#endif
