/* filter_script.h - which script a character is of, for the scripts that most text is in. */
#ifndef TP_DATA_FILTER_SCRIPT_H
#define TP_DATA_FILTER_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct script;
/* NULL: none of that name. */
const struct script *script_named(const char *name, size_t n);
/* Of all characters but white space; text is UTF-8.  0 for no characters. */
double script_share(const struct script *s, const char *text, size_t n);
const char *script_names(void); /* "Arabic, Cyrillic, ..." */

#endif
