/* sampling.c - what rollout-gen and distill-gen say of a sampled completion, and where it ends. */
#include "gen/sampling.h"

json_t *sampling_json(const struct sampling *s)
{
    json_t *obj = json_object();
    json_object_set_new(obj, "temperature", json_number(s->temperature));
    json_object_set_new(obj, "top_p", json_number(s->top_p));
    json_object_set_new(obj, "top_k", json_integer(s->top_k));
    json_object_set_new(obj, "min_p", json_number(s->min_p));
    return obj;
}

static void add_once(struct token_list *ids, int32_t id)
{
    for (int64_t i = 0; i < ids->n; i++)
        if (ids->ids[i] == id)
            return;
    if (id >= 0)
        token_list_add(ids, id);
}

void sampling_stop_ids(struct token_list *out, const struct tokenizer *t, const struct model_config *c)
{
    const int32_t *ids;
    int n = t ? tokenizer_stop_ids(t, &ids) : 0;
    for (int i = 0; i < n; i++)
        add_once(out, ids[i]);
    for (int i = 0; i < c->n_eos; i++)
        add_once(out, c->eos[i]);
}
