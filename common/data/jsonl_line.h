/* jsonl_line.h - lines of several files, for the readers of jsonl*.c, corpus.c and train/input.c. */
#ifndef TP_DATA_JSONL_LINE_H
#define TP_DATA_JSONL_LINE_H

#include "data/json.h"
#include "data/stream.h"

struct lines {
    const char **files;
    int n_files, next_file;
    struct stream *stream; /* NULL between files */
    const char *file;      /* of the last line */
    int64_t line, index;   /* its number; records so far */
};

int lines_open(struct lines *l, const char **files, int n_files, struct err *err) WARN_UNUSED;
/* The next line that is not blank, counted in tool_counts.in.  1 = got one, 0 = end, -1 = cannot go
 * on.  A line that is too long sets bad and text is its beginning. */
int lines_next(struct lines *l, struct strbuf *text, bool *cut, struct err *bad,
               struct err *err) WARN_UNUSED;
bool lines_ready(const struct lines *l); /* false: the next line has not arrived yet */
void lines_close(struct lines *l);
/* The line's object (new reference), NULL if it holds none.  cut: it had no '\n'. */
json_t *line_parse(const char *text, size_t n, bool cut, struct err *err);

#endif
