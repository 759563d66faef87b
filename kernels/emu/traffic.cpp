/* traffic.cpp - what warps move: the accesses of a block are put together as a warp would issue them.
 *
 * Lanes that come to the same instruction the same number of times are one access of the warp.  To device memory it
 * moves whole sectors of 32 bytes; to shared memory it takes as many passes as the fullest of the 32 banks has different
 * words, in groups of lanes that ask for 128 bytes.  Of each kernel one line is written: how many bytes went over how many
 * the launch had to touch at least once, what part of the sectors was asked for, and passes over the fewest possible.
 */
#include <stdio.h>
#include <stdlib.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "kernels/emu/watch.h"

enum { SECTOR = 32, BANKS = 32 };

struct access {
    uintptr_t place, p;
    uint32_t turn; /* how often the lane had been there */
    uint16_t warp, lane;
    uint8_t bytes;
    bool shared, write;
};

struct counts {
    uint64_t launches, read, read_floor, written, write_floor, asked, passes, fewest;
};

static std::map<std::string, counts> kernels;
static counts *current;
static std::vector<access> accesses;
static std::map<std::pair<unsigned, uintptr_t>, uint32_t> turns; /* of a thread at a place */

static void write_table(void)
{
    FILE *f = fopen(getenv("EMU_TRAFFIC"), "w");
    if (!f)
        return;
    for (const auto &k : kernels) {
        const counts &c = k.second;
        fprintf(f, "%s read %.2f write %.2f sectors %.2f banks %.2f\n", k.first.c_str(),
                c.read_floor ? (double)c.read / (double)c.read_floor : 0,
                c.write_floor ? (double)c.written / (double)c.write_floor : 0,
                c.read + c.written ? (double)c.asked / (double)(c.read + c.written) : 1,
                c.fewest ? (double)c.passes / (double)c.fewest : 1);
    }
    fclose(f);
}

void traffic_launch(const char *name)
{
    static bool wanted = getenv("EMU_TRAFFIC") && atexit(write_table) == 0;
    std::string plain;
    for (const char *s = name; *s; s++)
        if (*s != ' ' && *s != '(' && *s != ')')
            plain += *s;
    current = wanted ? &kernels[plain] : NULL;
    if (current)
        current->launches++;
}

void traffic_access(const void *p, size_t bytes, enum watch_kind kind, uintptr_t place, bool shared, size_t first)
{
    if (!current)
        return;
    unsigned thread = emu_self->warp * 32 + emu_self->lane;
    if (!shared)
        (kind == WATCH_READ ? current->read_floor : current->write_floor) += first;
    accesses.push_back({place, (uintptr_t)p, turns[{thread, place}]++, (uint16_t)emu_self->warp,
                        (uint16_t)emu_self->lane, (uint8_t)bytes, shared, kind == WATCH_WRITE});
}

static void count_sectors(const access *a, size_t n)
{
    std::vector<uintptr_t> sectors, granules;
    for (size_t i = 0; i < n; i++) {
        for (uintptr_t s = a[i].p / SECTOR; s <= (a[i].p + a[i].bytes - 1) / SECTOR; s++)
            sectors.push_back(s);
        for (uintptr_t g = a[i].p / 2; g <= (a[i].p + a[i].bytes - 1) / 2; g++)
            granules.push_back(g);
    }
    std::sort(sectors.begin(), sectors.end());
    std::sort(granules.begin(), granules.end());
    uint64_t moved = (uint64_t)(std::unique(sectors.begin(), sectors.end()) - sectors.begin()) * SECTOR;
    (a->write ? current->written : current->read) += moved;
    current->asked += (uint64_t)(std::unique(granules.begin(), granules.end()) - granules.begin()) * 2;
}

/* Lanes from `first` on that ask for 128 bytes together. */
static void count_passes(const access *a, size_t n)
{
    std::vector<uintptr_t> banks[BANKS];
    size_t most = 1;
    for (size_t i = 0; i < n; i++)
        for (uintptr_t w = a[i].p / 4; w <= (a[i].p + a[i].bytes - 1) / 4; w++) {
            std::vector<uintptr_t> &bank = banks[w % BANKS];
            if (std::find(bank.begin(), bank.end(), w) == bank.end())
                bank.push_back(w);
            most = std::max(most, bank.size());
        }
    current->passes += most;
    current->fewest++;
}

void traffic_block_ends(void)
{
    auto before = [](const access &x, const access &y) {
        return std::tie(x.warp, x.place, x.turn, x.shared, x.write, x.lane) <
               std::tie(y.warp, y.place, y.turn, y.shared, y.write, y.lane);
    };
    if (!current)
        return;
    std::stable_sort(accesses.begin(), accesses.end(), before);
    for (size_t i = 0, end; i < accesses.size(); i = end) {
        const access &a = accesses[i];
        size_t lanes = a.shared ? 128 / std::max<size_t>(a.bytes, 4) : 32;
        for (end = i + 1; end < accesses.size() && accesses[end].warp == a.warp && accesses[end].place == a.place &&
                          accesses[end].turn == a.turn && accesses[end].shared == a.shared &&
                          accesses[end].write == a.write && accesses[end].lane / lanes == a.lane / lanes;)
            end++;
        if (a.shared)
            count_passes(&a, end - i);
        else
            count_sectors(&a, end - i);
    }
    accesses.clear();
    turns.clear();
}
