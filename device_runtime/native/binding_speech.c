/* Streams of speech for Python: 16 kHz samples in, frames or scores out, in one call for any number of them. */
#include <stdlib.h>
#include <string.h>

#include "binding.h"
#include "frontend_frames.h"

enum {
    LONG = 1600,      /* samples from which on others may run meanwhile: 100 ms of audio */
    PIECE = 800,      /* samples rounded at a time */
    MOST_STACK = 1638, /* of the frames that a model may have */
    MOST_STRIDE = 65536
};

typedef struct {
    TrFrames frames;
    size_t length;
} framing;

/* What is done with samples; `at` is a framing or a tinyrnn_stream. */
typedef struct {
    size_t (*due)(const void *at, size_t count);
    void (*push)(void *at, void *scratch, const int16_t *samples, size_t count, float *rows);
    void (*reset)(void *at);
    void (*close)(void *at);
} verbs;

/* A Python Frontend, or a Python Stream, which keeps its model. */
typedef struct {
    PyObject_HEAD
    const verbs *verbs;
    void *at, *scratch;
    Py_ssize_t row; /* floats in a frame, or in the scores of a step */
    PyObject *model;
    int is_busy; /* the GIL is released while it works */
} Speech;

static size_t frames_due(const void *at, size_t count) { return tr_frames_due(&((const framing *)at)->frames, count); }
static void frames_reset(void *at) { tr_frames_reset(&((framing *)at)->frames); }

static void frames_push(void *at, void *scratch, const int16_t *samples, size_t count, float *rows) {
    framing *self = at;
    (void)scratch;
    for (size_t used; count > 0; samples += used, count -= used) {
        rows += tr_frames_push(&self->frames, samples, count, &used, rows) ? TR_BANDS * self->length : 0;
    }
}

static size_t scores_due(const void *at, size_t count) { return tinyrnn_stream_due(at, count); }
static void scores_reset(void *at) { tinyrnn_stream_reset(at); }
static void scores_close(void *at) { tinyrnn_stream_close(at); }

static void scores_push(void *at, void *scratch, const int16_t *samples, size_t count, float *rows) {
    tinyrnn_stream_push(at, scratch, samples, count, rows);
}

static const verbs to_frames = {frames_due, frames_push, frames_reset, free};
static const verbs to_scores = {scores_due, scores_push, scores_reset, scores_close};

/* Takes over `at` and `scratch`. */
static PyObject *new_speech(PyTypeObject *type, const verbs *verbs, void *at, void *scratch, Py_ssize_t row,
                            PyObject *model) {
    Speech *self = PyObject_New(Speech, type);
    if (self == NULL) {
        verbs->close(at);
        free(scratch);
        return NULL;
    }
    self->verbs = verbs, self->at = at, self->scratch = scratch, self->row = row, self->is_busy = 0;
    self->model = Py_XNewRef(model);
    return (PyObject *)self;
}

static void speech_dealloc(PyObject *object) {
    Speech *self = (Speech *)object;
    PyTypeObject *type = Py_TYPE(object);
    self->verbs->close(self->at);
    free(self->scratch);
    Py_XDECREF(self->model);
    PyObject_Free(object);
    Py_DECREF(type);
}

static int is_free(const Speech *self) {
    if (self->is_busy) {
        PyErr_SetString(PyExc_RuntimeError,
                        "another thread is pushing into this stream; give each a stream of its own");
    }
    return !self->is_busy;
}

/* frontends.speech.to_int16: -1..1 to the nearest of -32768..32767, from the middle up. What is louder is cut by the
 * bits of its size, as whole numbers: of a comparison of floats the compiler would make branches, not lanes. */
static void round_samples(const float *restrict samples, size_t count, int16_t *restrict rounded) {
    for (size_t i = 0; i < count; i++) {
        int32_t bits;
        float kept;
        memcpy(&bits, samples + i, sizeof bits);
        const int32_t size = bits & INT32_MAX, one = 0x3f800000;
        bits += (size < one ? size : one) - size;
        memcpy(&kept, &bits, sizeof kept);
        const float scaled = kept * 32768.0f + 0.5f;
        const int32_t towards_zero = (int32_t)scaled;
        const int32_t below = towards_zero - ((float)towards_zero > scaled);
        rounded[i] = (int16_t)(below < INT16_MAX ? below : INT16_MAX);
    }
}

static int all_finite(const float *samples, size_t count) {
    int32_t largest = 0;
    for (size_t i = 0; i < count; i++) {
        int32_t bits;
        memcpy(&bits, samples + i, sizeof bits);
        bits &= INT32_MAX;
        largest = bits > largest ? bits : largest;
    }
    return largest < 0x7f800000; /* infinity; NaN lies above */
}

static void push_floats(Speech *self, const float *samples, size_t count, float *rows) {
    int16_t rounded[PIECE];
    while (count > 0) {
        const size_t piece = count < PIECE ? count : PIECE, due = self->verbs->due(self->at, piece);
        round_samples(samples, piece, rounded);
        self->verbs->push(self->at, self->scratch, rounded, piece, rows);
        samples += piece, count -= piece, rows += due * (size_t)self->row;
    }
}

static void push(Speech *self, const Py_buffer *samples, const element *kind, size_t count, float *rows) {
    if (kind == &int16) {
        self->verbs->push(self->at, self->scratch, samples->buf, count, rows);
    } else {
        push_floats(self, samples->buf, count, rows);
    }
}

static void push_and_let_run(Speech *self, const Py_buffer *samples, const element *kind, size_t count, float *rows) {
    if (count < LONG) {
        push(self, samples, kind, count, rows);
        return;
    }
    self->is_busy = 1;
    Py_BEGIN_ALLOW_THREADS
    push(self, samples, kind, count, rows);
    Py_END_ALLOW_THREADS
    self->is_busy = 0;
}

static PyObject *speech_push(PyObject *object, PyObject *samples) {
    Speech *self = (Speech *)object;
    Py_ssize_t count = -1;
    Py_buffer view;
    if (!is_free(self) || take(samples, "samples", &int16, &count, 1, 0, &view) < 0) {
        return NULL;
    }
    const size_t due = self->verbs->due(self->at, (size_t)count);
    const size_t row_bytes = sizeof(float) * (size_t)self->row;
    PyObject *rows = due > SIZE_MAX / 2 / row_bytes
                         ? PyErr_NoMemory()
                         : PyByteArray_FromStringAndSize(NULL, (Py_ssize_t)(due * row_bytes));
    if (rows != NULL) {
        push_and_let_run(self, &view, &int16, (size_t)count, (float *)(void *)PyByteArray_AsString(rows));
    }
    PyBuffer_Release(&view);
    return rows;
}

static PyObject *speech_push_floats(PyObject *object, PyObject *samples) {
    Speech *self = (Speech *)object;
    Py_ssize_t count = -1;
    Py_buffer view;
    PyObject *rows = NULL;
    float *to;
    if (!is_free(self) || take(samples, "samples", &float32, &count, 1, 0, &view) < 0) {
        return NULL;
    }
    const Py_ssize_t shape[2] = {(Py_ssize_t)self->verbs->due(self->at, (size_t)count), self->row};
    if (!all_finite(view.buf, (size_t)count)) {
        PyErr_SetString(PyExc_ValueError, "samples must be finite numbers");
    } else if ((rows = numpy_floats(2, shape, &to)) != NULL) {
        push_and_let_run(self, &view, &float32, (size_t)count, to);
    }
    PyBuffer_Release(&view);
    return rows;
}

static PyObject *speech_reset(PyObject *object, PyObject *unused) {
    Speech *self = (Speech *)object;
    (void)unused;
    if (!is_free(self)) {
        return NULL;
    }
    self->verbs->reset(self->at);
    return Py_NewRef(Py_None);
}

static PyObject *frontend_new(PyTypeObject *type, PyObject *args, PyObject *keywords) {
    static char *names[] = {"stack", "stride", NULL};
    unsigned int stack, stride;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "II", names, &stack, &stride)) {
        return NULL;
    }
    if (stack < 1 || stride < 1 || stack > MOST_STACK || stride > MOST_STRIDE) {
        return PyErr_Format(PyExc_ValueError, "stack must be 1 to %d and stride 1 to %d, got %u and %u", MOST_STACK,
                            MOST_STRIDE, stack, stride);
    }
    const size_t row = (size_t)TR_BANDS * stack;
    framing *at = malloc(sizeof *at + sizeof(float) * row); /* behind it lie the vectors */
    if (at == NULL) {
        return PyErr_NoMemory();
    }
    tr_frames_init(&at->frames, stack, stride, (float *)(void *)(at + 1));
    at->length = stack;
    return new_speech(type, &to_frames, at, NULL, (Py_ssize_t)row, NULL);
}

PyObject *model_stream(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    const tinyrnn *model = ((Model *)self)->model;
    char error[TINYRNN_ERROR_SIZE];
    const long stride = given == 1 ? PyLong_AsLong(args[0]) : 0;
    if (PyErr_Occurred()) {
        return NULL;
    }
    if (given > 1 || stride < 0 || stride > MOST_STRIDE) {
        return PyErr_Format(PyExc_ValueError, "stream takes a stride of 1 to %d, or 0 for the file's", MOST_STRIDE);
    }
    tinyrnn_stream *stream = tinyrnn_stream_open(model, (uint32_t)stride, NULL, error);
    if (stream == NULL) {
        return PyErr_Format(PyExc_ValueError, "%s", error);
    }
    void *scratch = calloc(1, tinyrnn_scratch_size(model));
    if (scratch == NULL) {
        tinyrnn_stream_close(stream);
        return PyErr_NoMemory();
    }
    return new_speech(stream_type(Py_TYPE(self)), &to_scores, stream, scratch, tinyrnn_score_count(model), self);
}

#define PUSH_AND_RESET(what)                                                                                         \
    {"push", speech_push, METH_O,                                                                                    \
     "push(samples): take any number of int16 samples; a bytearray of float32 comes back, " what},                   \
    {"push_floats", speech_push_floats, METH_O,                                                                      \
     "push_floats(samples): float32 of -1..1, rounded to int16 first; a NumPy array comes back, a row of " what},      \
    {"reset", speech_reset, METH_NOARGS, "Forget everything heard so far."},                                         \
    {NULL, NULL, 0, NULL},

static PyMethodDef stream_methods[] = {PUSH_AND_RESET("the scores of each step.")};
static PyMethodDef frontend_methods[] = {PUSH_AND_RESET("the values of each frame.")};

static PyType_Slot stream_slots[] = {
    {Py_tp_doc, "16 kHz speech to scores; Model.stream makes it."},
    {Py_tp_dealloc, speech_dealloc},
    {Py_tp_methods, stream_methods},
    {0, NULL},
};

static PyType_Slot frontend_slots[] = {
    {Py_tp_doc, "Frontend(stack, stride): 16 kHz speech to frames of `stack` vectors, one every `stride` times 10 ms."},
    {Py_tp_new, frontend_new},
    {Py_tp_dealloc, speech_dealloc},
    {Py_tp_methods, frontend_methods},
    {0, NULL},
};

PyType_Spec stream_spec = {
    "device_runtime.native._native.Stream", sizeof(Speech), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION, stream_slots,
};

PyType_Spec frontend_spec = {
    "device_runtime.native._native.Frontend", sizeof(Speech), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    frontend_slots,
};
