/* test_plugin.c - opening the GPU backend: the real one, on a machine with a GPU or without, and what is not one. */
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "kernels/cuda/plugin.h"
#include "tests/unit/check.h"

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static const char *error_of(const char *kind, const char *folder)
{
    struct dev dev;
    const char *error = NULL;
    setenv("THINKPIPE_PLUGINS", folder, 1);
    if (dev_open_plugin(&dev, kind, DTYPE_BF16, 0, &error) == 0) {
        dev_close(&dev);
        return "";
    }
    CHECK(error && *error);
    return error ? error : "";
}

static void check_what_is_none(void)
{
    char folder[] = "/tmp/plugin-XXXXXX", path[64];
    CHECK(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/thinkpipe-emu.so", folder);
    CHECK(strstr(error_of("emu", folder), path));
    CHECK(!dev_has_plugin("emu"));
    write_file(path, "not a shared library, by any means");
    CHECK(strstr(error_of("emu", folder), path));
    CHECK(dev_has_plugin("emu"));
    unlink(path);
    rmdir(folder);
}

/* The plug-in that nvcc made: its symbols are all there; without a GPU it says so and nothing else. */
static void check_real(const char *path)
{
    if (!path || access(path, F_OK) != 0) {
        printf("skip: no nvcc here: no plug-in to open\n");
        return;
    }
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    CHECK_MSG(library != NULL, "%s", dlerror());
    if (!library)
        return;
    plugin_fn *fn;
    void *symbol = dlsym(library, PLUGIN_SYMBOL);
    CHECK(symbol);
    memcpy(&fn, &symbol, sizeof fn);
    const struct plugin *plugin = fn();
    struct dev dev;
    const char *error = NULL;
    CHECK(plugin->abi == OPS_ABI);
    if (plugin->open(&dev, DTYPE_BF16, 0, &error) == 0) {
        CHECK(dev.ops && strcmp(dev.name, "cuda") == 0);
        plugin->close(&dev);
    } else {
        CHECK(error && *error);
        printf("# without the probe: %s\n", error);
    }
    char *folder = strdup(path);
    *strrchr(folder, '/') = '\0';
    printf("# with it: %s\n", error_of("cuda", folder));
    free(folder);
}

int main(void)
{
    char *plugins = getenv("THINKPIPE_PLUGINS"), *kept = plugins ? strdup(plugins) : NULL;
    if (kept && dev_has_plugin("emu"))
        CHECK_MSG(error_of("emu", kept)[0] == '\0', "the emulator does not open");
    check_what_is_none();
    check_real(getenv("CUDA_PLUGIN"));
    free(kept);
    return check_done();
}
