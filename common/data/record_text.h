/* record_text.h - all the text of a record, whatever its kind. */
#ifndef TP_DATA_RECORD_TEXT_H
#define TP_DATA_RECORD_TEXT_H

#include "data/jsonl.h"

/* Puts into out the text of `field` (a string or a list of messages) or, when field is NULL, of the
 * record's 'text', 'messages', 'prompt', 'completion', 'chosen' and 'rejected', as many as it has.
 * Between two strings lies a blank line.  Reasoning counts.  The record may be unparsed (obj NULL). */
int record_text(const struct record *rec, const char *field, struct strbuf *out,
                struct err *err) WARN_UNUSED;
/* The same of a parsed object; *n_found = how many strings there were. */
void object_text(const json_t *obj, const char *field, struct strbuf *out, int *n_found);
/* The record's 'id' as text, else its file and line.  The record may be unparsed. */
void record_id(const struct record *rec, struct strbuf *out);

#endif
