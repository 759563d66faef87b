/* rope.c - rotary frequencies and their scalings (formats.md section 6).
 *
 * linear: position interpolation (arXiv:2306.15595).  llama3: by wavelength, as Llama 3.1 does.
 * yarn: NTK by parts with a temperature (arXiv:2309.00071).
 *
 * Frequencies and angles are float32 because the models were trained with float32 ones: at
 * position 60000 the rounding of the angle is visible, and a more exact angle is a different model.
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "model/config_internal.h"

static const char *const scaling_names[] = {"default", "linear", "llama3", "yarn"};

static int scaling_type(const json_t *obj, enum rope_scaling *out, struct err *err)
{
    const char *name = "default";

    if (json_opt_str(obj, "type", &name, err) < 0 || json_opt_str(obj, "rope_type", &name, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_SIZE(scaling_names); i++) {
        if (!strcmp(name, scaling_names[i])) {
            *out = (enum rope_scaling)i;
            return 0;
        }
    }
    return err_set(err, "rope scaling '%s' is not supported (default, linear, llama3, yarn are)",
                   name);
}

static double yarn_mscale(double scale, double m)
{
    return scale <= 1 ? 1 : 0.1 * m * log(scale) + 1;
}

static double yarn_attention_factor(const struct rope_config *r)
{
    if (r->attention_factor != 0)
        return r->attention_factor;
    if (r->mscale != 0 && r->mscale_all_dim != 0)
        return yarn_mscale(r->factor, r->mscale) / yarn_mscale(r->factor, r->mscale_all_dim);
    return yarn_mscale(r->factor, 1);
}

static int check_scaling(const struct rope_config *r, struct err *err)
{
    if (r->type != ROPE_DEFAULT && !(r->factor > 0))
        return err_set(err, "rope scaling '%s' needs a positive 'factor'", scaling_names[r->type]);
    if (r->type != ROPE_DEFAULT && (r->factor < 1e-6 || r->factor > 1e6))
        return err_set(err, "rope scaling '%s' has a 'factor' of %g, expected 1e-6 to 1e6", scaling_names[r->type],
                       r->factor);
    if (r->type == ROPE_LLAMA3 &&
        (!(r->low_freq_factor > 0) || !(r->high_freq_factor > r->low_freq_factor)))
        return err_set(err, "rope scaling 'llama3' needs 0 < 'low_freq_factor' < 'high_freq_factor'");
    if (r->type == ROPE_YARN && !(r->beta_fast > 0 && r->beta_slow > 0))
        return err_set(err, "rope scaling 'yarn' needs positive 'beta_fast' and 'beta_slow'");
    if (r->type == ROPE_YARN && !(yarn_attention_factor(r) > 0 && yarn_attention_factor(r) < 1e6))
        return err_set(err, "rope scaling 'yarn' makes attention %g times as large: no such model is known",
                       yarn_attention_factor(r));
    if (r->type != ROPE_DEFAULT && r->original_max_pos < 1)
        return err_set(err, "'original_max_position_embeddings' must be positive");
    return 0;
}

static int read_scaling(struct model_config *c, const json_t *obj, struct err *err)
{
    struct rope_config *r = &c->rope;
    double partial = 1;

    if (!json_is_object(obj))
        return err_set(err, "rope scaling is %s, expected an object", json_type_name(obj));
    if (scaling_type(obj, &r->type, err) < 0 ||
        json_opt_num(obj, "rope_theta", &r->theta, err) < 0 ||
        json_opt_num(obj, "partial_rotary_factor", &partial, err) < 0 ||
        json_opt_num(obj, "factor", &r->factor, err) < 0 ||
        json_opt_num(obj, "low_freq_factor", &r->low_freq_factor, err) < 0 ||
        json_opt_num(obj, "high_freq_factor", &r->high_freq_factor, err) < 0 ||
        json_opt_num(obj, "beta_fast", &r->beta_fast, err) < 0 ||
        json_opt_num(obj, "beta_slow", &r->beta_slow, err) < 0 ||
        json_opt_num(obj, "attention_factor", &r->attention_factor, err) < 0 ||
        json_opt_num(obj, "mscale", &r->mscale, err) < 0 ||
        json_opt_num(obj, "mscale_all_dim", &r->mscale_all_dim, err) < 0 ||
        json_opt_bool(obj, "truncate", &r->truncate, err) < 0 ||
        json_opt_int(obj, "original_max_position_embeddings", &r->original_max_pos, err) < 0)
        return -1;
    if (partial != 1)
        return err_set(err, "'partial_rotary_factor' is %g, only 1 is supported", partial);
    return check_scaling(r, err);
}

/* rope_parameters may be one object for each layer type (transformers 5).  Sliding layers have one
 * plain table with the theta of the full ones; anything else would be another model. */
static int read_by_layer_type(struct model_config *c, const json_t *params, struct err *err)
{
    const json_t *full = json_object_get(params, "full_attention");
    const json_t *sliding = json_object_get(params, "sliding_attention");
    enum rope_scaling type = ROPE_DEFAULT;
    double theta;

    if (full && !json_is_null(full) && read_scaling(c, full, err) < 0)
        return -1;
    if (!json_is_object(sliding))
        return 0;
    theta = c->rope.theta;
    if (scaling_type(sliding, &type, err) < 0 ||
        json_opt_num(sliding, "rope_theta", &theta, err) < 0)
        return -1;
    if (type != ROPE_DEFAULT || theta != c->rope.theta)
        return err_set(err, "'rope_parameters' of sliding layers must be plain, with the 'rope_theta' "
                            "of the full ones");
    c->rope_full_only = true;
    return 0;
}

int rope_config_parse(struct model_config *c, const json_t *obj, struct err *err)
{
    const json_t *params = json_object_get(obj, "rope_parameters");
    const json_t *scaling = json_object_get(obj, "rope_scaling");
    int rc = 0;

    c->rope = (struct rope_config){.theta = arch_specs[c->arch].theta, .beta_fast = 32,
                                   .beta_slow = 1, .truncate = true,
                                   .original_max_pos = c->max_seq_len};
    if (json_opt_num(obj, "rope_theta", &c->rope.theta, err) < 0)
        return -1;
    if (scaling && !json_is_null(scaling))
        rc = read_scaling(c, scaling, err);
    else if (json_is_object(params) && (json_object_get(params, "full_attention") ||
                                        json_object_get(params, "sliding_attention")))
        rc = read_by_layer_type(c, params, err);
    else if (params && !json_is_null(params))
        rc = read_scaling(c, params, err);
    if (rc == 0 && !(c->rope.theta > 1 && c->rope.theta <= 1e30))
        return err_set(err, "'rope_theta' is %g, expected more than 1 and at most 1e30", c->rope.theta);
    return rc;
}

static void put_num(json_t *obj, const char *key, double x)
{
    json_object_set_new(obj, key, json_number(x));
}

static json_t *scaling_json(const struct rope_config *r)
{
    json_t *s = json_object();

    json_object_set_new(s, "rope_type", json_string(scaling_names[r->type]));
    put_num(s, "factor", r->factor);
    if (r->type == ROPE_LLAMA3) {
        put_num(s, "low_freq_factor", r->low_freq_factor);
        put_num(s, "high_freq_factor", r->high_freq_factor);
    }
    if (r->type == ROPE_YARN) {
        put_num(s, "beta_fast", r->beta_fast);
        put_num(s, "beta_slow", r->beta_slow);
        if (r->attention_factor != 0)
            put_num(s, "attention_factor", r->attention_factor);
        if (r->mscale != 0)
            put_num(s, "mscale", r->mscale);
        if (r->mscale_all_dim != 0)
            put_num(s, "mscale_all_dim", r->mscale_all_dim);
        if (!r->truncate)
            json_object_set_new(s, "truncate", json_false());
    }
    if (r->type != ROPE_LINEAR)
        json_object_set_new(s, "original_max_position_embeddings",
                            json_integer(r->original_max_pos));
    return s;
}

/* transformers 5 gives rope_theta to Olmo3's full layers only and its own default to the sliding
 * ones, unless rope_parameters says otherwise; 4.57 does not read rope_parameters. */
static void put_by_layer_type(json_t *obj, const struct rope_config *r)
{
    json_t *params = json_object(), *sliding = json_object();
    json_t *full = r->type == ROPE_DEFAULT ? json_object() : scaling_json(r);

    json_object_set_new(full, "rope_type", json_string(scaling_names[r->type]));
    put_num(full, "rope_theta", r->theta);
    json_object_set_new(sliding, "rope_type", json_string("default"));
    put_num(sliding, "rope_theta", r->theta);
    json_object_set_new(params, "full_attention", full);
    json_object_set_new(params, "sliding_attention", sliding);
    json_object_set_new(obj, "rope_parameters", params);
}

void rope_config_put(json_t *obj, const struct model_config *c)
{
    const struct rope_config *r = &c->rope;

    put_num(obj, "rope_theta", r->theta);
    json_object_set_new(obj, "rope_scaling",
                        r->type == ROPE_DEFAULT ? json_null() : scaling_json(r));
    if (c->rope_full_only)
        put_by_layer_type(obj, r);
}

static void scale_llama3(const struct rope_config *r, int64_t half, float *inv_freq)
{
    const double m = (double)r->original_max_pos;

    for (int64_t i = 0; i < half; i++) {
        double wavelength = 2 * M_PI / inv_freq[i];
        double s = (m / wavelength - r->low_freq_factor) / (r->high_freq_factor - r->low_freq_factor);
        if (wavelength > m / r->low_freq_factor)
            inv_freq[i] = (float)(inv_freq[i] / r->factor);
        else if (wavelength >= m / r->high_freq_factor)
            inv_freq[i] = (float)(inv_freq[i] * ((1 - s) / r->factor + s));
    }
}

/* The (fractional) pair that turns `rotations` times within the original context. */
static double yarn_pair(const struct model_config *c, double rotations)
{
    return (double)c->head_dim * log((double)c->rope.original_max_pos / (rotations * 2 * M_PI)) /
           (2 * log(c->rope.theta));
}

static void scale_yarn(const struct model_config *c, int64_t half, float *inv_freq)
{
    const struct rope_config *r = &c->rope;
    double lo = yarn_pair(c, r->beta_fast), hi = yarn_pair(c, r->beta_slow);

    if (r->truncate) {
        lo = floor(lo);
        hi = ceil(hi);
    }
    lo = fmax(lo, 0);
    hi = fmin(hi, (double)c->head_dim - 1);
    if (lo == hi)
        hi += 0.001;
    for (int64_t i = 0; i < half; i++) {
        double ramp = fmin(fmax(((double)i - lo) / (hi - lo), 0), 1);
        inv_freq[i] = (float)(inv_freq[i] / r->factor * ramp + inv_freq[i] * (1 - ramp));
    }
}

void rope_frequencies(const struct model_config *c, bool plain, float *inv_freq, double *factor)
{
    const struct rope_config *r = &c->rope;
    int64_t half = c->head_dim / 2;

    *factor = 1;
    for (int64_t i = 0; i < half; i++) {
        float exponent = (float)(2 * i) / (float)c->head_dim;
        inv_freq[i] = 1.0f / powf((float)r->theta, exponent);
    }
    if (plain)
        return;
    if (r->type == ROPE_LINEAR)
        for (int64_t i = 0; i < half; i++)
            inv_freq[i] = (float)(inv_freq[i] / r->factor);
    if (r->type == ROPE_LLAMA3)
        scale_llama3(r, half, inv_freq);
    if (r->type == ROPE_YARN) {
        scale_yarn(c, half, inv_freq);
        *factor = yarn_attention_factor(r);
    }
}
