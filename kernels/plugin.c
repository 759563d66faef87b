/* plugin.c - the GPU backend, a shared library that is opened when it is wanted.
 *
 * The driver is asked before our library is opened, and by its own name: CUDA's libraries are large, and what
 * they say where there is no driver misleads.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/cuda/plugin.h"

static char message[600];

/* cuda.h's, for the few calls that are made by name */
enum { CU_SUCCESS = 0, CU_ATTRIBUTE_MAJOR = 75, LEAST_MAJOR = 8 };
typedef int cu_init(unsigned flags);
typedef int cu_device_count(int *n);
typedef int cu_device_get(int *device, int index);
typedef int cu_device_attribute(int *value, int attribute, int device);
typedef int cu_error_string(int error, const char **text);

/* dlsym's object pointer as a function. */
static void find(void *library, const char *name, void *fn, size_t size)
{
    void *p = dlsym(library, name);
    memcpy(fn, &p, size);
}
#define FIND(library, name, fn) find(library, name, &(fn), sizeof(fn))

static const char *driver_says(void *driver, int error)
{
    cu_error_string *text_of;
    const char *text = NULL;
    FIND(driver, "cuGetErrorString", text_of);
    if (text_of)
        (void)text_of(error, &text);
    return text ? text : "unknown error";
}

/* NULL if device `index` is a GPU that the kernels are made for, else why not. */
static const char *ask_driver(void *driver, int index)
{
    cu_init *init;
    cu_device_count *count;
    cu_device_get *get;
    cu_device_attribute *attribute;
    int e, n = 0, device, major = 0;
    FIND(driver, "cuInit", init);
    FIND(driver, "cuDeviceGetCount", count);
    FIND(driver, "cuDeviceGet", get);
    FIND(driver, "cuDeviceGetAttribute", attribute);
    if (!init || !count || !get || !attribute)
        return "the NVIDIA driver is incomplete";
    if ((e = init(0)) != CU_SUCCESS || (e = count(&n)) != CU_SUCCESS) {
        snprintf(message, sizeof message, "no GPU: %s", driver_says(driver, e));
        return message;
    }
    if (index >= n)
        return n == 0 ? "no GPU" : "no GPU with this number";
    if ((e = get(&device, index)) != CU_SUCCESS || (e = attribute(&major, CU_ATTRIBUTE_MAJOR, device)) != CU_SUCCESS)
        return driver_says(driver, e);
    if (major < LEAST_MAJOR) {
        snprintf(message, sizeof message, "the GPU has compute capability %d, the kernels need %d.0", major, LEAST_MAJOR);
        return message;
    }
    return NULL;
}

static const char *probe_driver(int index)
{
    void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!driver)
        return "no NVIDIA driver";
    const char *why = ask_driver(driver, index);
    if (why)
        (void)dlclose(driver);
    return why;
}

/* $THINKPIPE_PLUGINS, or lib/thinkpipe beside the program's folder. */
static int plugin_path(char *path, size_t size, const char *kind)
{
    const char *dir = getenv("THINKPIPE_PLUGINS");
    char self[400];
    int n;
    if (dir && *dir) {
        n = snprintf(path, size, "%s/thinkpipe-%s.so", dir, kind);
    } else {
        ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
        if (len < 0)
            return -1;
        self[len] = '\0';
        for (int up = 0; up < 2; up++) {
            char *slash = strrchr(self, '/');
            if (slash)
                *slash = '\0';
        }
        n = snprintf(path, size, "%s/lib/thinkpipe/thinkpipe-%s.so", self, kind);
    }
    return n > 0 && (size_t)n < size ? 0 : -1;
}

bool dev_has_plugin(const char *kind)
{
    char path[512];
    return plugin_path(path, sizeof path, kind) == 0 && access(path, F_OK) == 0;
}

static const struct plugin *load(const char *kind, const char **error)
{
    char path[512];
    plugin_fn *fn;
    if (plugin_path(path, sizeof path, kind) < 0) {
        *error = "the path of the backend is too long";
        return NULL;
    }
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        snprintf(message, sizeof message, "%s", dlerror());
        *error = message;
        return NULL;
    }
    FIND(library, PLUGIN_SYMBOL, fn);
    const struct plugin *plugin = fn ? fn() : NULL;
    if (!plugin || plugin->abi != OPS_ABI) {
        snprintf(message, sizeof message, "%s: of another version of thinkpipe", path);
        *error = message;
        (void)dlclose(library);
        return NULL;
    }
    return plugin; /* stays open: its code is in use until the process ends */
}

int dev_open_plugin(struct dev *dev, const char *kind, enum dtype dtype, int index, const char **error)
{
    const char *why = strcmp(kind, "cuda") == 0 ? probe_driver(index) : NULL;
    memset(dev, 0, sizeof *dev);
    if (why) {
        *error = why;
        return -1;
    }
    const struct plugin *plugin = load(kind, error);
    if (!plugin || plugin->open(dev, dtype, index, error) < 0)
        return -1;
    dev->close = plugin->close;
    return 0;
}
