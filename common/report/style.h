/* style.h - the page's style sheet and script. */
#ifndef TP_REPORT_STYLE_H
#define TP_REPORT_STYLE_H

extern const char report_css[];
/* Shows the values under the pointer in a chart's legend.  Holds no '<' and no '&', so that it may
 * stand in the page as it is. */
extern const char report_script[];

#endif
