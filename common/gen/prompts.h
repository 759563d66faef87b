/* prompts.h - the records a generator works through: once as they arrive, or in memory, several
 * times and in a shuffled order. */
#ifndef TP_GEN_PROMPTS_H
#define TP_GEN_PROMPTS_H

#include "data/jsonl.h"

struct prompt_options {
    int64_t repeat; /* passes; 0 = without end */
    bool shuffle;   /* each pass in an order of its own */
    uint64_t seed;
};

struct prompt_source;
struct prompt_source *prompt_source_open(const char **files, int n_files,
                                         const struct prompt_options *o, struct err *err);
/* 1 = got one (the caller decrefs rec->obj), 0 = end, -1 = error. */
int prompt_source_next(struct prompt_source *s, struct record *rec, struct err *err) WARN_UNUSED;
/* The record that prompt_source_next() gave last is unusable: as jsonl_reader_reject(). */
int prompt_source_reject(struct prompt_source *s, const struct record *rec, struct err *why) WARN_UNUSED;
bool prompt_source_ready(const struct prompt_source *s); /* the next one need not be waited for */
void prompt_source_close(struct prompt_source *s);

#endif
