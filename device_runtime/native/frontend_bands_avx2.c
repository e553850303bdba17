/* The bands for x86 from Haswell (2013) on: the same integers, 8 of them an instruction. */
#include "frontend_bands.h"

#ifdef TR_BANDS_AVX2
#include <immintrin.h>
#include <string.h>

#include "frontend_tables.h"

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC target("avx2")
#endif

/* There is no such instruction for lanes: it is the exponent of a float that cannot be rounded up, since the bit below
 * the highest is taken out. Half of the value has no sign. */
static inline int32_t highest_bit(uint32_t value) {
    const uint32_t half = value >> 1;
    const float alone = (float)(int32_t)(half & ~(half >> 1));
    int32_t bits;
    memcpy(&bits, &alone, sizeof bits);
    return ((bits >> 23) - 126) & 31;
}

static inline __m128i load_16_bytes(const void *at) { return _mm_loadu_si128((const __m128i *)at); }

/* Four bins at a time, in whole numbers of 64 bits: the even ones, then the odd ones. Of each gap the sums for the band
 * below are left in two lanes, those for the band above in the next two. */
static inline void mel_energies(const int32_t *energies, uint64_t bands[TR_BANDS]) {
    int64_t sums[4 * (TR_BANDS + 1)];
    const int32_t *weights = tr_fours;
    for (int gap = 0; gap <= TR_BANDS; ++gap) {
        __m256i sum = _mm256_setzero_si256();
        for (int bin = tr_gap_starts[gap]; bin < tr_gap_starts[gap + 1]; bin += 4, weights += 8) {
            const __m256i four = _mm256_broadcastsi128_si256(load_16_bytes(energies + bin));
            const __m256i by = _mm256_loadu_si256((const __m256i *)(const void *)weights);
            sum = _mm256_add_epi64(sum, _mm256_mul_epi32(four, by));
            sum = _mm256_add_epi64(sum, _mm256_mul_epi32(_mm256_srli_epi64(four, 32), _mm256_srli_epi64(by, 32)));
        }
        _mm256_storeu_si256((__m256i *)(void *)(sums + 4 * gap), sum);
    }
    for (int band = 0; band < TR_BANDS; band += 2) {
        const int64_t *at = sums + 4 * band + 2;
        const __m128i one = _mm_add_epi64(load_16_bytes(at), load_16_bytes(at + 2));
        const __m128i next = _mm_add_epi64(load_16_bytes(at + 4), load_16_bytes(at + 6));
        const __m128i both = _mm_add_epi64(_mm_unpacklo_epi64(one, next), _mm_unpackhi_epi64(one, next));
        _mm_storeu_si128((__m128i *)(void *)(bands + band), both);
    }
}

#include "frontend_bands_body.h"

void tr_frontend_bands_avx2(const int32_t energies[TR_TRANSFORM / 2], int shift, uint32_t noise[TR_BANDS],
                            float features[TR_BANDS]) {
    bands_of(energies, shift, noise, features);
}

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
