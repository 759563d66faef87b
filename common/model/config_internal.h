/* config_internal.h - between config.c, rope.c and the writers of model directories. */
#ifndef TP_MODEL_CONFIG_INTERNAL_H
#define TP_MODEL_CONFIG_INTERNAL_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "model/config.h"

struct arch_spec {
    const char *name, *type; /* architectures[0], model_type */
    enum qk_norm qk_norm;
    enum norm_place norm_place;
    bool round_first, qkv_bias;
    double eps, theta; /* defaults when config.json has none */
};
extern const struct arch_spec arch_specs[];

json_t *model_config_eos_json(const struct model_config *c); /* null, an id, or a list */

/* rope.c: rope_theta with rope_scaling (transformers 4) or rope_parameters (5). */
int rope_config_parse(struct model_config *c, const json_t *obj, struct err *err) WARN_UNUSED;
void rope_config_put(json_t *obj, const struct model_config *c);

/* inv_freq[head_dim / 2] in float32, as transformers computes it, and the factor on cos and sin.
 * plain: without scaling (sliding layers of Olmo3). */
void rope_frequencies(const struct model_config *c, bool plain, float *inv_freq, double *factor);

#endif
