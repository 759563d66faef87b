/* store.h - a small file for what a search has found: lines under a first line that names what they were found with.
 *
 *     thinkpipe products 1: NVIDIA H200, 132 processors, driver 13000, cuBLASLt 130100
 *     KEY: VALUE
 *     ...
 *     1234567890 4321
 *
 * The last line is what cksum(1) says of those before it.  A file with another first line or a wrong last one is as good
 * as none, and is replaced.  It lies in $THINKPIPE_CACHE, or thinkpipe in $XDG_CACHE_HOME or ~/.cache, and is called
 * products-NUMBER.txt by the cksum of its first line; THINKPIPE_CACHE=off does without.
 */
#ifndef TP_KERNELS_CUDA_STORE_H
#define TP_KERNELS_CUDA_STORE_H

#include <map>
#include <string>

struct store {
    std::string path, title; /* no path: nothing is kept */
    std::map<std::string, std::string> lines;
};

void store_open(struct store *s, const std::string &title);
/* NULL = no such line. */
const std::string *store_find(const struct store *s, const std::string &key);
/* Keeps the line, in the file too, beside what others have put there meanwhile.  A file that cannot be written is none. */
void store_put(struct store *s, const std::string &key, const std::string &value);

#endif
