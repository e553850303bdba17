/* The bands with whatever vectors the compiler may use everywhere, and the choice of better ones. */
#include <stdint.h>

#include "frontend_bands.h"
#include "frontend_tables.h"

static inline int32_t highest_bit(uint32_t value) {
#if defined(__GNUC__)
    return 31 - __builtin_clz(value | 1);
#else
    int32_t place = 0;
    for (int step = 16; step > 0; step >>= 1) {
        place += value >> place >> step != 0 ? step : 0;
    }
    return place;
#endif
}

static void mel_energies(const int32_t *energies, uint64_t bands[TR_BANDS]) {
    uint64_t from_below = 0;
    for (int gap = 0; gap <= TR_BANDS; ++gap) {
        int64_t all = 0, weighed = 0; /* below 2^48: at most 15 bins of 2^31, times 2^12 */
        for (int bin = tr_gap_starts[gap]; bin < tr_gap_starts[gap + 1]; ++bin) {
            all += energies[bin];
            weighed += (int64_t)energies[bin] * tr_weights[bin - TR_FIRST_BIN];
        }
        if (gap > 0) {
            bands[gap - 1] = from_below + (uint64_t)weighed;
        }
        from_below = (uint64_t)(all * (1 << TR_WEIGHT_BITS) - weighed);
    }
}

#include "frontend_bands_body.h"
#include "processor.h"

void tr_frontend_bands(const int32_t energies[TR_TRANSFORM / 2], int shift, uint32_t noise[TR_BANDS],
                       float features[TR_BANDS]) {
#ifdef TR_BANDS_AVX2
    if (processor.has_avx2) {
        tr_frontend_bands_avx2(energies, shift, noise, features);
        return;
    }
#endif
    bands_of(energies, shift, noise, features);
}
