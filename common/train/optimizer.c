/* optimizer.c - AdamW on fp32 masters, with global gradient clipping. */
#include "train/optimizer.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

static void *at(void *base, enum dtype t, int64_t offset)
{
    return (char *)base + (size_t)offset * dtype_bytes(t);
}

static size_t acc_bytes(const struct optimizer *o)
{
    return (size_t)o->model->n_elements * dtype_bytes(o->model->dev.acc);
}

/* In fp32 the model's weights are the master. */
static bool own_master(const struct model *m)
{
    return m->dev.dtype != m->dev.acc;
}

size_t optimizer_bytes(const struct model *m)
{
    return model_block_bytes(m, (size_t)m->n_elements * dtype_bytes(m->dev.acc)) * (own_master(m) ? 3 : 2);
}

static void *new_array(struct optimizer *o, struct err *err)
{
    struct dev *dev = &o->model->dev;
    void *p = dev->ops->alloc(dev, acc_bytes(o));
    if (!p)
        err_set(err, "no memory for the optimiser's state (three arrays of %zu bytes)", acc_bytes(o));
    return p;
}

int optimizer_init(struct optimizer *o, struct model *m, const float *initial, struct err *err)
{
    struct dev *dev = &m->dev;
    *o = (struct optimizer){.model = m};
    o->master = own_master(m) ? new_array(o, err) : m->weights;
    o->m = o->master ? new_array(o, err) : NULL;
    o->v = o->m ? new_array(o, err) : NULL;
    if (!o->v) {
        optimizer_release(o);
        return -1;
    }
    if (initial)
        dev->ops->upload(dev, o->master, initial, acc_bytes(o));
    else if (o->master != m->weights)
        dev->ops->convert(dev, o->master, dev->acc, m->weights, dev->dtype, m->n_elements);
    return 0;
}

void optimizer_release(struct optimizer *o)
{
    if (!o->model)
        return;
    struct dev *dev = &o->model->dev;
    if (o->master && o->master != o->model->weights)
        dev->ops->free(dev, o->master);
    if (o->m)
        dev->ops->free(dev, o->m);
    if (o->v)
        dev->ops->free(dev, o->v);
    *o = (struct optimizer){0};
}

double optimizer_grad_norm(const struct optimizer *o)
{
    struct model *m = o->model;
    double sum = 0;
    for (int i = 0; i < m->n_params; i++) {
        const struct param *p = &m->params[i];
        sum += m->dev.ops->sum_squares(&m->dev, at(m->grads, m->dev.acc, p->offset), p->numel);
    }
    return sqrt(sum);
}

void optimizer_step(struct optimizer *o, const struct optimizer_options *opt, double lr,
                    double grad_norm)
{
    struct model *m = o->model;
    struct dev *dev = &m->dev;
    double scale = opt->max_grad_norm > 0 && grad_norm > opt->max_grad_norm
                       ? opt->max_grad_norm / grad_norm
                       : 1;
    double t = (double)++o->updates;
    for (int i = 0; i < m->n_params; i++) {
        const struct param *p = &m->params[i];
        struct adamw_args a = {
            .master = at(o->master, dev->acc, p->offset),
            .m = at(o->m, dev->acc, p->offset),
            .v = at(o->v, dev->acc, p->offset),
            .grad = at(m->grads, dev->acc, p->offset),
            .weights = at(m->weights, dev->dtype, p->offset),
            .n = p->numel,
            .lr = lr,
            .beta1 = opt->beta1,
            .beta2 = opt->beta2,
            .eps = opt->eps,
            .weight_decay = p->decay ? opt->weight_decay : 0,
            .bias1 = 1 - pow(opt->beta1, t),
            .bias2 = 1 - pow(opt->beta2, t),
            .grad_scale = scale,
        };
        dev->ops->adamw(dev, &a);
    }
    model_weights_changed(m);
}

struct optimizer_view optimizer_view(const struct optimizer *o)
{
    struct dev *dev = &o->model->dev;
    int64_t n = o->model->n_elements;
    struct optimizer_view v = {.n = n, .master = dev->ops->host_view(dev, o->master)};
    if (v.master) {
        v.m = dev->ops->host_view(dev, o->m);
        v.v = dev->ops->host_view(dev, o->v);
        return v;
    }
    v.copies = xreallocarray(NULL, 3 * (size_t)n, sizeof(float));
    dev->ops->download(dev, v.copies, o->master, acc_bytes(o));
    dev->ops->download(dev, v.copies + n, o->m, acc_bytes(o));
    dev->ops->download(dev, v.copies + 2 * n, o->v, acc_bytes(o));
    v.master = v.copies;
    v.m = v.copies + n;
    v.v = v.copies + 2 * n;
    return v;
}

void optimizer_view_release(struct optimizer_view *v)
{
    free(v->copies);
    *v = (struct optimizer_view){0};
}

void optimizer_load(struct optimizer *o, const float *master, const float *m, const float *v)
{
    struct dev *dev = &o->model->dev;
    model_set_weights(o->model, master);
    dev->ops->upload(dev, o->master, master, acc_bytes(o));
    dev->ops->upload(dev, o->m, m, acc_bytes(o));
    dev->ops->upload(dev, o->v, v, acc_bytes(o));
}
