/* minhash.h - small signatures whose agreement estimates how much two texts share.
 *
 * Broder, "On the resemblance and containment of documents", 1997.  A text is the
 * set of its word n-grams; the signature holds, for each of k hash functions, the
 * least value over the set, cut to 16 bits (b-bit minwise hashing, Li and Koenig,
 * arXiv:0910.3349).  Two texts agree in about J of the k places, J = |A and B| / |A or B|.
 */
#ifndef TP_DATA_MINHASH_H
#define TP_DATA_MINHASH_H

#include <stdint.h>
#include <stddef.h>

#define MINHASH_MOST 1024

struct minhash {
    int k;               /* a multiple of 16 is fastest */
    uint32_t *add, *mul; /* [k] of the hash functions */
};

void minhash_init(struct minhash *m, int k, uint64_t seed);
void minhash_release(struct minhash *m);
/* signature [k] of the n hashed n-grams (n > 0). */
void minhash_sign(const struct minhash *m, const uint64_t *ngrams, size_t n, uint16_t *signature);
/* The estimate of J, freed of places that agree by chance. */
double minhash_similarity(const uint16_t *a, const uint16_t *b, int k);

#endif
