/* html.h - text and numbers into HTML and SVG.
 *
 * The page is written so that it is well-formed XML as well: every element is closed, every
 * attribute quoted.
 */
#ifndef TP_REPORT_HTML_H
#define TP_REPORT_HTML_H

#include "base/strbuf.h"

/* Text from anywhere: markup is escaped, what is not UTF-8 or a control character is replaced. */
void html_text(struct strbuf *out, const char *text);
void html_name(struct strbuf *out,
               const char *name); /* the same, may be broken after '/' and '_' */
void html_number(struct strbuf *out, double x, int digits); /* short form; a dash for NaN */
void html_number_exact(struct strbuf *out, double x);
void html_duration(struct strbuf *out, double seconds);
void html_coord(struct strbuf *out, double x); /* at most two decimals */
void html_colors(struct strbuf *out, int run); /* the class names that colour a run's marks */
void html_key(struct strbuf *out, int run);    /* a piece of the run's line, for legends */
/* Everything up to the first heading, and from the end of the last section on. */
void html_begin(struct strbuf *out, const char *title);
void html_end(struct strbuf *out);

#endif
