/* transfer.c - numbers between the host's float32 and the device's types. */
#include <string.h>

#include "model/model_internal.h"

enum { TRANSFER_BLOCK = 1 << 20 };

void *host_buffer(struct model *m, size_t bytes)
{
    struct model_state *s = m->state;

    if (bytes > s->host_bytes) {
        s->host = xrealloc(s->host, bytes);
        s->host_bytes = bytes;
    }
    return s->host;
}

void upload_acc(struct model *m, void *dst, const float *src, int64_t n)
{
    if (m->dev.acc == DTYPE_F32) {
        m->dev.ops->upload(&m->dev, dst, src, (size_t)n * sizeof(float));
        return;
    }
    double *wide = xreallocarray(NULL, (size_t)n, sizeof(double));
    for (int64_t i = 0; i < n; i++)
        wide[i] = src[i];
    m->dev.ops->upload(&m->dev, dst, wide, (size_t)n * sizeof(double));
    free(wide);
}

void download_acc(struct model *m, float *dst, const void *src, int64_t n)
{
    if (m->dev.acc == DTYPE_F32) {
        m->dev.ops->download(&m->dev, dst, src, (size_t)n * sizeof(float));
        return;
    }
    double *wide = xreallocarray(NULL, (size_t)n, sizeof(double));
    m->dev.ops->download(&m->dev, wide, src, (size_t)n * sizeof(double));
    for (int64_t i = 0; i < n; i++)
        dst[i] = (float)wide[i];
    free(wide);
}

int device_check(struct model *m, const char *what, struct err *err)
{
    if (!dev_error(&m->dev))
        return 0;
    return err_set(err, "%s on %s: %s", what, m->dev.name, dev_error(&m->dev));
}

/* Through a device block, so that the device's own rounding is the only one. */
void model_set_weights(struct model *m, const float *src)
{
    struct dev *dev = &m->dev;
    int64_t block = m->n_elements < TRANSFER_BLOCK ? m->n_elements : TRANSFER_BLOCK;
    void *staging = NULL;

    if (dev->dtype == DTYPE_F32) {
        dev->ops->upload(dev, m->weights, src, (size_t)m->n_elements * sizeof(float));
    } else if ((staging = dev->ops->alloc(dev, (size_t)block * sizeof(float)))) {
        for (int64_t i = 0; i < m->n_elements; i += block) {
            int64_t n = m->n_elements - i < block ? m->n_elements - i : block;
            dev->ops->upload(dev, staging, src + i, (size_t)n * sizeof(float));
            dev->ops->convert(dev, weight_at(m, i), dev->dtype, staging, DTYPE_F32, n);
        }
        dev->ops->free(dev, staging);
    } else if (!dev->error) {
        dev->error = "no memory to upload weights";
    }
    model_weights_changed(m);
}

void model_get_weights(struct model *m, float *dst)
{
    struct dev *dev = &m->dev;
    int64_t block = m->n_elements < TRANSFER_BLOCK ? m->n_elements : TRANSFER_BLOCK;
    void *staging = NULL;

    if (dev->dtype == DTYPE_F32) {
        dev->ops->download(dev, dst, m->weights, (size_t)m->n_elements * sizeof(float));
    } else if ((staging = dev->ops->alloc(dev, (size_t)block * sizeof(float)))) {
        for (int64_t i = 0; i < m->n_elements; i += block) {
            int64_t n = m->n_elements - i < block ? m->n_elements - i : block;
            dev->ops->convert(dev, staging, DTYPE_F32, weight_at(m, i), dev->dtype, n);
            dev->ops->download(dev, dst + i, staging, (size_t)n * sizeof(float));
        }
        dev->ops->free(dev, staging);
    } else if (!dev->error) {
        dev->error = "no memory to download weights";
    }
}
