/* record_text.h - all the text of a record, whatever its kind. */
#ifndef TP_DATA_RECORD_TEXT_H
#define TP_DATA_RECORD_TEXT_H

#include "data/jsonl.h"

/* Puts into out the text of the named fields (strings, or lists of messages or strings; "doc.question"
 * is a member of a member).  Without names: 'text' if there is one, else what the record has of
 * 'messages', 'conversations', 'prompt', 'question', 'problem', 'instruction', 'input', 'completion',
 * 'response', 'responses', 'output', 'answer', 'solution', 'chosen' and 'rejected'.  Between two strings
 * lies a blank line.  Reasoning counts.  The record may be unparsed (obj NULL). */
int record_text(const struct record *rec, const struct opt_list *fields, struct strbuf *out,
                struct err *err) WARN_UNUSED;
/* Adds the text of one value of a parsed record; *n_found counts the strings. */
void value_text(const json_t *value, struct strbuf *out, int *n_found);
/* The value at a path of names with dots between; NULL = none.  Borrowed. */
const json_t *value_at(const json_t *obj, const char *path);
/* The record's 'id' as text, else its file and line.  The record may be unparsed. */
void record_id(const struct record *rec, struct strbuf *out);

#endif
