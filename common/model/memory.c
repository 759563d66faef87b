/* memory.c - what a program is going to need, and what it needed. */
#include "model/memory.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "model/model_internal.h"

/* fp32 numbers, and the file's pages. */
static size_t reading(const struct model *m, size_t file_number)
{
    return (size_t)m->n_elements * (sizeof(float) + file_number);
}

size_t memory_of_replacing(const struct model *m)
{
    return reading(m, dtype_bytes(m->dev.dtype));
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

struct memory_plan memory_plan(struct model *m, const struct model_use *use, size_t optimizer,
                               size_t copies)
{
    struct memory_plan p = {.model = model_memory_plan(m, use), .optimizer = optimizer, .copies = copies};
    const struct model_memory *d = &p.model;
    const size_t floats = (size_t)m->n_elements * sizeof(float);
    const size_t file = strcmp(m->cfg.dtype, "float32") == 0 ? 4 : 2;
    const bool host = !m->state->opt.plan_gpu && !m->dev.ops->reserve;

    p.on_host = host;
    p.reading = d->weights + d->packed + d->gradients + optimizer;
    if (host) /* the file's pages are given back before the optimiser's arrays are there */
        p.reading = d->weights + d->packed + d->gradients +
                    larger(reading(m, file), floats + optimizer);
    p.peak = larger(p.reading, d->total + optimizer + (host ? copies : 0));
    return p;
}

json_t *memory_plan_json(const struct memory_plan *p)
{
    const struct {
        const char *name;
        size_t bytes;
    } parts[] = {{"weights", p->model.weights}, {"packed", p->model.packed},
                 {"gradients", p->model.gradients}, {"optimizer", p->optimizer},
                 {"activations", p->model.activations}, {"logits", p->model.logits},
                 {"kv_cache", p->model.kv_cache}, {"tables", p->model.tables},
                 {"scratch", p->model.scratch}, {"copies", p->copies}, {"reading", p->reading},
                 {"peak", p->peak}};
    json_t *obj = json_object();

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        json_object_set_new(obj, parts[i].name, json_integer((json_int_t)parts[i].bytes));
    return obj;
}

struct amount {
    char text[32];
};

static struct amount amount(size_t bytes)
{
    struct amount a;
    const double mib = (double)bytes / (1 << 20);

    snprintf(a.text, sizeof a.text, mib < 1024 ? "%.1f MiB" : "%.1f GiB", mib < 1024 ? mib : mib / 1024);
    return a;
}

void memory_lack(struct model *m, size_t bytes, const char *advice, struct err *err)
{
    const size_t free = model_room(m);

    if (!free)
        err_set(err, "no memory on %s: %s are needed; %s", m->dev.name, amount(bytes).text, advice);
    else
        err_set(err, "no memory on %s: %s are needed, %s are free, %s are missing; %s", m->dev.name,
                amount(bytes).text, amount(free).text, amount(bytes > free ? bytes - free : 0).text, advice);
    err->status = EXIT_NO_MEMORY;
}

int memory_take(struct model *m, const struct model_use *use, const struct memory_plan *p,
                const struct memory_way *ways, int n_ways, struct err *err)
{
    const size_t all = p->model.weights + p->model.gradients + p->optimizer;
    char advice[200];

    if (!m->dev.ops->reserve)
        return 0;
    if (model_reserve(m, use, p->peak)) {
        log_debug("%s: %s taken at once", m->dev.name, amount(p->peak).text);
        return 0;
    }
    const size_t free = m->dev.ops->room(&m->dev);
    snprintf(advice, sizeof advice, "weights%s alone take %s: this needs a smaller model or another device",
             p->optimizer ? ", gradients and optimiser" : "", amount(all).text);
    for (int i = 0; i < n_ways; i++) {
        if (ways[i].peak > free)
            continue;
        snprintf(advice, sizeof advice, "%s would do with %s", ways[i].options, amount(ways[i].peak).text);
        break;
    }
    memory_lack(m, p->peak, advice, err);
    return -1;
}

/* A line of /proc/self/status, in MiB; 0 where there is none. */
static double status_mib(const char *name)
{
    char line[256];
    long long kib = 0;
    FILE *f = fopen("/proc/self/status", "re");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0)
            sscanf(line + strlen(name), ": %lld", &kib);
    if (f)
        fclose(f);
    return (double)kib / 1024;
}

static double mib(size_t bytes)
{
    return (double)bytes / (1 << 20);
}

struct memory_report memory_report_begin(void)
{
    return (struct memory_report){.before = status_mib("VmRSS")};
}

void memory_report_plan(struct memory_report *r, const struct memory_plan *p)
{
    const struct model_memory *d = &p->model;

    r->planned = p->on_host ? r->before + mib(p->peak) : 0;
    log_debug("memory, MiB: weights %.1f, packed %.1f, gradients %.1f, optimiser %.1f, activations %.1f, "
              "logits %.1f, keys and values %.1f, tables %.1f, scratch %.1f, copies %.1f; peak %.1f",
              mib(d->weights), mib(d->packed), mib(d->gradients), mib(p->optimizer),
              mib(d->activations), mib(d->logits), mib(d->kv_cache), mib(d->tables), mib(d->scratch),
              mib(p->copies), mib(p->peak));
}

void memory_report_end(const struct memory_report *r)
{
    if (r->planned > 0)
        log_debug("memory: peak %.1f MiB, planned %.1f; %.1f without the model", status_mib("VmHWM"),
                  r->planned, r->before);
    else
        log_debug("memory: peak %.1f MiB; %.1f without the model", status_mib("VmHWM"), r->before);
}
