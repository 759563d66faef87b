/* literal.h - values that Python programs print: {'a': [1, None, "it's"]}.
 *
 * Data sets made for open-instruct hold their truths as str() of a dict.  Read are JSON and
 * Python's dicts, lists, tuples, strings, numbers, True, False and None; of names and operators
 * nothing.
 */
#ifndef TP_REWARD_LITERAL_H
#define TP_REWARD_LITERAL_H

#include "data/json.h"

/* New reference, NULL with a message. */
json_t *literal_parse(const char *text, struct err *err);

#endif
