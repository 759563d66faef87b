/* store.cu - see store.h. */
#include "kernels/cuda/store.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uint32_t crc_byte(uint32_t crc, uint8_t byte)
{
    crc ^= (uint32_t)byte << 24;
    for (int bit = 0; bit < 8; bit++)
        crc = crc & 0x80000000u ? crc << 1 ^ 0x04c11db7u : crc << 1;
    return crc;
}

/* The CRC of POSIX's cksum: of the bytes, then of their number. */
static uint32_t cksum(const std::string &text)
{
    uint32_t crc = 0;
    for (char c : text)
        crc = crc_byte(crc, (uint8_t)c);
    for (size_t n = text.size(); n; n >>= 8)
        crc = crc_byte(crc, (uint8_t)n);
    return ~crc;
}

static std::string last_line(const std::string &text)
{
    return std::to_string(cksum(text)) + " " + std::to_string(text.size()) + "\n";
}

static std::string folder(void)
{
    const char *own = getenv("THINKPIPE_CACHE"), *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (own && *own)
        return strcmp(own, "off") == 0 ? "" : own;
#ifndef __CUDACC__
    return ""; /* the emulator leaves nothing behind unasked */
#endif
    if (cache && *cache)
        return std::string(cache) + "/thinkpipe";
    return home && *home ? std::string(home) + "/.cache/thinkpipe" : "";
}

static std::string read_file(const std::string &path)
{
    std::string text;
    char part[4096];
    FILE *f = fopen(path.c_str(), "re");
    for (size_t n; f && (n = fread(part, 1, sizeof part, f)) > 0;)
        text.append(part, n);
    if (f)
        fclose(f);
    return text;
}

/* The lines of a file that is whole and has this title are added to those that are there. */
static void read_lines(struct store *s)
{
    const std::string text = read_file(s->path);
    size_t end = text.size() > 1 ? text.rfind('\n', text.size() - 2) : std::string::npos;
    if (end == std::string::npos)
        return;
    const std::string body = text.substr(0, end + 1), title = s->title + "\n";
    if (text.substr(end + 1) != last_line(body) || body.compare(0, title.size(), title) != 0)
        return;
    for (size_t at = title.size(); at < body.size();) {
        size_t stop = body.find('\n', at), colon = body.find(": ", at);
        if (colon != std::string::npos && colon < stop)
            s->lines.emplace(body.substr(at, colon - at), body.substr(colon + 2, stop - colon - 2));
        at = stop + 1;
    }
}

void store_open(struct store *s, const std::string &title)
{
    const std::string dir = folder();
    s->title = title;
    s->lines.clear();
    s->path = dir.empty() ? "" : dir + "/products-" + std::to_string(cksum(title)) + ".txt";
    if (!s->path.empty())
        read_lines(s);
}

const std::string *store_find(const struct store *s, const std::string &key)
{
    auto found = s->lines.find(key);
    return found == s->lines.end() ? NULL : &found->second;
}

static void make_folders(const std::string &path)
{
    for (size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1))
        (void)mkdir(path.substr(0, at).c_str(), 0777); /* if it is not there then, opening the file says so */
}

/* Beside its place, then there as a whole. */
static void write_file(const struct store *s)
{
    std::string text = s->title + "\n", aside = s->path + "." + std::to_string(getpid());
    for (const auto &line : s->lines)
        text += line.first + ": " + line.second + "\n";
    text += last_line(text);
    make_folders(s->path);
    FILE *f = fopen(aside.c_str(), "we");
    if (!f)
        return;
    bool ok = fwrite(text.data(), 1, text.size(), f) == text.size();
    ok = fclose(f) == 0 && ok;
    if (!ok || rename(aside.c_str(), s->path.c_str()) != 0)
        (void)unlink(aside.c_str());
}

void store_put(struct store *s, const std::string &key, const std::string &value)
{
    s->lines[key] = value;
    if (s->path.empty())
        return;
    read_lines(s);
    write_file(s);
}
