/* The elementwise lines of arithmetic.py, written once over lanes.
 *
 * A kernel defines, before it includes this file: LANES; the type `lanes` of so many float32; and load, store, set,
 * add, sub, mul, round_down, clip, from_int32, store_int8 and lookup. Each is one IEEE operation per lane. The last
 * lanes of a vector may lie past its end: every vector has SLACK there, and what they hold is never used.
 *
 * `clip` gives its lower limit for NaN, so that no input whatever makes an index that is not in a table.
 */

static inline lanes round_half_up(lanes v) { return round_down(add(v, set(0.5f))); }

static inline lanes affine_lanes(const matrix *m, const int32_t *acc, uint32_t at) {
    return add(mul(from_int32(acc + at), load(m->scale + at)), load(m->bias + at));
}

static inline lanes int8_of_state(lanes h) { return clip(round_half_up(mul(h, set(128.0f))), -127.0f, 127.0f); }

static void quantize_frame(const float *frame, float *error, float gain, int8_t *q, uint32_t count) {
    for (uint32_t i = 0; i < count; i += LANES) {
        lanes wanted = add(mul(load(frame + i), set(gain)), load(error + i));
        lanes rounded = round_half_up(wanted);
        store(error + i, sub(wanted, rounded));
        store_int8(q + i, clip(rounded, -127.0f, 127.0f));
    }
}

static void quantize_state(const float *h, int8_t *hq, uint32_t count) {
    for (uint32_t i = 0; i < count; i += LANES) {
        store_int8(hq + i, int8_of_state(load(h + i)));
    }
}

static void affine(const matrix *m, const int32_t *acc, float *v) {
    for (uint32_t i = 0; i < m->rows; i += LANES) {
        store(v + i, affine_lanes(m, acc, i));
    }
}

static void rectify(const matrix *m, const int32_t *acc, float gain, int8_t *q) {
    for (uint32_t i = 0; i < m->rows; i += LANES) {
        lanes v = mul(affine_lanes(m, acc, i), set(gain));
        store_int8(q + i, clip(round_half_up(v), 0.0f, 127.0f));
    }
}

static inline lanes sigmoid_of(const tables *tables, lanes v) {
    lanes at = clip(round_half_up(mul(v, set(256.0f))), -SIGMOID_HALF, SIGMOID_HALF - 1);
    return lookup(tables->sigmoid + SIGMOID_HALF, at);
}

static inline lanes tanh_of(const tables *tables, lanes v) {
    lanes at = clip(round_half_up(mul(v, set(512.0f))), -TANH_HALF, TANH_HALF - 1);
    return lookup(tables->tanh + TANH_HALF, at);
}

static void gates(const layer *gru, const tables *tables, const int32_t *ax, const int32_t *ah, float *h, int8_t *hq) {
    const matrix *wx = gru->input, *wh = gru->state;
    uint32_t hidden = gru->outputs, z_at = hidden, n_at = 2 * hidden;
    for (uint32_t i = 0; i < hidden; i += LANES) {
        lanes r = sigmoid_of(tables, add(affine_lanes(wx, ax, i), affine_lanes(wh, ah, i)));
        lanes z = sigmoid_of(tables, add(affine_lanes(wx, ax, z_at + i), affine_lanes(wh, ah, z_at + i)));
        lanes reset = mul(r, affine_lanes(wh, ah, n_at + i));
        lanes n = tanh_of(tables, add(affine_lanes(wx, ax, n_at + i), reset));
        lanes blended = mul(add(mul(sub(load(h + i), n), z), n), set(32768.0f));
        lanes next = mul(clip(round_half_up(blended), -32767.0f, 32767.0f), set(1.0f / 32768));
        store(h + i, next);
        store_int8(hq + i, int8_of_state(next));
    }
}
