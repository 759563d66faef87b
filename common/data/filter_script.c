/* filter_script.c - which script a character is of, for the scripts that most text is in.
 *
 * Blocks of Unicode 15 whose letters are of one script; Script_Extensions are not looked at.
 */
#include "data/filter_script.h"

#include <string.h>
#include <utf8proc.h>

#include "base/mem.h"
#include "data/utf8.h"

struct script {
    const char *name;
    int32_t ranges[8][2];
};

static const struct script scripts[] = {
    {"Arabic",
     {{0x600, 0x6ff}, {0x750, 0x77f}, {0x8a0, 0x8ff}, {0xfb50, 0xfdff}, {0xfe70, 0xfeff}}},
    {"Cyrillic", {{0x400, 0x52f}, {0x1c80, 0x1c8f}, {0x2de0, 0x2dff}, {0xa640, 0xa69f}}},
    {"Devanagari", {{0x900, 0x97f}, {0xa8e0, 0xa8ff}}},
    {"Greek", {{0x370, 0x3ff}, {0x1f00, 0x1fff}}},
    {"Han",
     {{0x2e80, 0x2fdf},
      {0x3005, 0x3007},
      {0x3400, 0x4dbf},
      {0x4e00, 0x9fff},
      {0xf900, 0xfaff},
      {0x20000, 0x323af}}},
    {"Hangul", {{0x1100, 0x11ff}, {0x3130, 0x318f}, {0xa960, 0xa97f}, {0xac00, 0xd7ff}}},
    {"Hebrew", {{0x590, 0x5ff}, {0xfb1d, 0xfb4f}}},
    {"Kana", {{0x3040, 0x30ff}, {0x31f0, 0x31ff}, {0xff66, 0xff9f}}},
    {"Latin",
     {{'A', 'Z'},
      {'a', 'z'},
      {0xaa, 0xaa},
      {0xba, 0xba},
      {0xc0, 0x24f},
      {0x1e00, 0x1eff},
      {0x2c60, 0x2c7f},
      {0xa720, 0xa7ff}}},
    {"Thai", {{0xe00, 0xe7f}}},
};

const char *script_names(void)
{
    return "Arabic, Cyrillic, Devanagari, Greek, Han, Hangul, Hebrew, Kana, Latin, Thai";
}

const struct script *script_named(const char *name, size_t n)
{
    for (size_t i = 0; i < ARRAY_SIZE(scripts); i++)
        if (strlen(scripts[i].name) == n && memcmp(scripts[i].name, name, n) == 0)
            return &scripts[i];
    return NULL;
}

static bool in_script(const struct script *s, int32_t c)
{
    for (size_t i = 0; i < ARRAY_SIZE(s->ranges) && s->ranges[i][0]; i++)
        if (c >= s->ranges[i][0] && c <= s->ranges[i][1])
            return true;
    return false;
}

double script_share(const struct script *s, const char *text, size_t n)
{
    bool ascii[128];
    int64_t all = 0, of_script = 0;
    for (int c = 0; c < 128; c++)
        ascii[c] = in_script(s, c);
    for (size_t i = 0; i < n;) {
        unsigned char b = (unsigned char)text[i];
        if (b < 0x80) {
            all += b > ' ';
            of_script += ascii[b];
            i++;
            continue;
        }
        int len = utf8_char_bytes((const unsigned char *)text + i, n - i);
        int32_t c = 0xfffd;
        if (len > 0)
            utf8proc_iterate((const unsigned char *)text + i, len, &c);
        bool space = utf8proc_category(c) == UTF8PROC_CATEGORY_ZS;
        all += !space;
        of_script += !space && in_script(s, c);
        i += (size_t)(len > 0 ? len : -len);
    }
    return all ? (double)of_script / (double)all : 0;
}
