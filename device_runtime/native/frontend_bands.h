/* From the energies of the transform's bins to the 40 features of a vector. */
#ifndef TR_FRONTEND_BANDS_H
#define TR_FRONTEND_BANDS_H

#include <stdint.h>

#include "frontend.h"

/* `shift` is by how many bits the window was scaled up before the transform. Updates the noise estimates. */
void tr_frontend_bands(const int32_t energies[TR_TRANSFORM / 2], int shift, uint32_t noise[TR_BANDS],
                       float features[TR_BANDS]);

#if (defined(__x86_64__) || defined(__i386__)) && defined(__GNUC__) && !defined(TR_NO_AVX2)
#define TR_BANDS_AVX2
void tr_frontend_bands_avx2(const int32_t energies[TR_TRANSFORM / 2], int shift, uint32_t noise[TR_BANDS],
                            float features[TR_BANDS]); /* where the processor has it */
#endif

#endif
