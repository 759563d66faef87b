/* shaping.h - what is taken off a reward for the form of the response, whatever it answers.
 *
 *   overlong     DAPO's soft punishment (Yu et al., arXiv:2503.14476, eq. 13): nothing up to
 *                length - buffer tokens, then rising evenly to P at length, P beyond
 *   repetition   P times the share of n-grams of words that stood there before
 *                (Yeo et al., arXiv:2502.03373, the penalty of TRL and Open-R1)
 *   non_stop     P when finish_reason is "length"
 */
#ifndef TP_REWARD_SHAPING_H
#define TP_REWARD_SHAPING_H

#include "data/response.h"

#define SHAPING_MAX 3

struct shaping_options {
    double non_stop;                          /* P; 0 = off */
    double overlong;                          /* P */
    int64_t overlong_length, overlong_buffer; /* tokens; length 0 = off, buffer 0 = a fifth of it */
    double repetition;                        /* P; 0 = off */
    int64_t repetition_ngram;                 /* words */
};
#define SHAPING_DEFAULT                                                                            \
    {                                                                                              \
        .overlong = 1, .repetition_ngram = 3                                                       \
    }

/* Do they fit together?  Once, before the first record. */
int shaping_check(const struct shaping_options *o, struct err *err) WARN_UNUSED;

struct shaping {
    struct {
        const char *name; /* key in `rewards` */
        double taken;     /* 0 or more, for a P of 0 or more */
    } items[SHAPING_MAX];
    int n;
};

/* Those that are switched on, in the order above but non_stop last; it appears only when it is due.
 * -1 if the record does not tell its length. */
int shaping_of(const struct shaping_options *o, const struct response *r, const json_t *record,
               struct shaping *out, struct err *err) WARN_UNUSED;

/* Parts of it. */
double overlong_share(double tokens, double length, double buffer); /* 0 to 1 */
double repetition_share(const char *text, int64_t n); /* 0 to 1; 0 with fewer than n words */

#endif
