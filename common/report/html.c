/* html.c - text and numbers into HTML and SVG, and the page's frame. */
#include "report/html.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/utf8.h"
#include "report/axis.h"
#include "report/style.h"

static const char *entity(unsigned char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return c < ' ' || c == 0x7f ? "\xef\xbf\xbd" : NULL;
    }
}

static void add_text(struct strbuf *out, const char *text, const char *breaks)
{
    struct strbuf clean = {0};
    utf8_repair(&clean, text, strlen(text));
    for (size_t i = 0; i < clean.len; i++) {
        const char *e = entity((unsigned char)clean.buf[i]);
        if (e)
            strbuf_adds(out, e);
        else
            strbuf_addc(out, clean.buf[i]);
        if (clean.buf[i] && strchr(breaks, clean.buf[i]))
            strbuf_adds(out, "<wbr/>");
    }
    strbuf_release(&clean);
}

void html_text(struct strbuf *out, const char *text)
{
    add_text(out, text, "");
}

void html_name(struct strbuf *out, const char *name)
{
    add_text(out, name, "/_");
}

void html_number(struct strbuf *out, double x, int digits)
{
    char text[AXIS_LABEL];
    if (isnan(x)) {
        strbuf_adds(out, "–");
        return;
    }
    number_short(x, digits, text);
    strbuf_adds(out, text);
}

void html_number_exact(struct strbuf *out, double x)
{
    char text[AXIS_LABEL];
    number_exact(x, text);
    strbuf_adds(out, text);
}

void html_duration(struct strbuf *out, double seconds)
{
    double minutes = round(seconds / 60), hours = floor(minutes / 60);
    if (!(seconds >= 0 && seconds < 1e12)) /* not a clock's */
        strbuf_adds(out, "–");
    else if (seconds < 100)
        strbuf_addf(out, "%.1f s", seconds);
    else if (minutes < 60)
        strbuf_addf(out, "%.0f min", minutes);
    else if (hours < 48)
        strbuf_addf(out, "%.0f h %02.0f min", hours, minutes - 60 * hours);
    else
        strbuf_addf(out, "%.1f days", seconds / 86400);
}

void html_coord(struct strbuf *out, double x)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%.2f", x);
    while (text[n - 1] == '0')
        n--;
    if (text[n - 1] == '.')
        n--;
    strbuf_add(out, text, (size_t)n);
}

void html_colors(struct strbuf *out, int run)
{
    strbuf_addf(out, "c%d d%d", run % 7, run / 7 % 4);
}

void html_key(struct strbuf *out, int run)
{
    strbuf_adds(out, "<svg class=\"key ");
    html_colors(out, run);
    strbuf_adds(out, "\" viewBox=\"0 0 20 10\" aria-hidden=\"true\"><path d=\"M1 5H19\"/></svg>");
}

void html_begin(struct strbuf *out, const char *title)
{
    strbuf_adds(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
                     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                     "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
                     "<meta name=\"generator\" content=\"run-report (thinkpipe)\"/>\n<title>");
    html_text(out, title);
    strbuf_adds(out, "</title>\n<style>\n");
    strbuf_adds(out, report_css);
    strbuf_adds(out, "</style>\n</head>\n<body>\n<main>\n<h1>");
    html_text(out, title);
    strbuf_adds(out, "</h1>\n");
}

void html_end(struct strbuf *out)
{
    strbuf_adds(out, "</main>\n<script>\n");
    strbuf_adds(out, report_script);
    strbuf_adds(out, "</script>\n</body>\n</html>\n");
}
