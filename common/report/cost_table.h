/* cost_table.h - rows of cost-plan as an aligned table or a picture. */
#ifndef TP_REPORT_COST_TABLE_H
#define TP_REPORT_COST_TABLE_H

#include "data/json.h"

/* rows: cost-plan's records (cost-plan(1)), in the order they are shown. */
void cost_table(struct strbuf *out, const json_t *rows);
/* Peak memory by context, one line a model and variant, both axes logarithmic; an SVG file.  Of
 * records of several programs only those of `program` "all" are drawn. */
void cost_chart(struct strbuf *out, const json_t *rows);

/* -- shared by the two -- */
double cost_number(const json_t *row, const char *group, const char *name); /* row[group][name] */
const char *cost_text(const json_t *row, const char *name);

#endif
