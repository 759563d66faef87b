/* metric_rules.h - what is known about metrics by name: subject, unit, how to draw them. */
#ifndef TP_REPORT_METRIC_RULES_H
#define TP_REPORT_METRIC_RULES_H

enum metric_group {
    GROUP_LOSS,
    GROUP_REWARD,
    GROUP_LENGTH,
    GROUP_STALENESS,
    GROUP_MISMATCH,
    GROUP_PREFERENCE,
    GROUP_EVALUATION,
    GROUP_OTHER,
    GROUP_SPEED,
    N_METRIC_GROUPS
};
extern const char *const metric_group_titles[N_METRIC_GROUPS];
extern const char *const metric_group_ids[N_METRIC_GROUPS]; /* anchors within the page */

enum metric_flags {
    METRIC_WITH_ZERO = 1, /* the axis shows 0 */
    METRIC_WITH_ONE = 2,  /* the axis shows 1, with a line there */
    METRIC_EXACT = 4,     /* nothing random in it: never smoothed */
    METRIC_CLOCK = 8      /* seconds since 1970: drawn since the run's first step */
};

struct metric_rule {
    const char *pattern; /* as for fnmatch(3), without special treatment of '/' */
    enum metric_group group;
    unsigned flags;
    const char *unit, *note; /* or NULL */
};
/* The rule of a metric; never NULL.  Rules lie in the order in which charts should. */
const struct metric_rule *metric_rule_find(const char *name);

#endif
