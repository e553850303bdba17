/* A model for Python: one step, many steps of one stream, or one step of many streams. */
#include <stdlib.h>
#include <string.h>

#include "binding.h"

enum { ALIGNMENT = 64 };

static uint8_t *aligned(void *memory) {
    return (uint8_t *)(((uintptr_t)memory + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
}

static PyObject *model_new(PyTypeObject *type, PyObject *args, PyObject *keywords) {
    static char *names[] = {"file", "kernel", NULL};
    Py_buffer file;
    const char *kernel = NULL;
    char error[TINYRNN_ERROR_SIZE];
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "y*|z", names, &file, &kernel)) {
        return NULL;
    }
    numpy_find();
    Model *self = NULL;
    size_t size = (size_t)file.len;
    uint8_t *memory = malloc(size + 2 * ALIGNMENT);
    if (memory == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    uint8_t *copy = memcpy(aligned(memory), file.buf, size);
    tinyrnn *model = tinyrnn_open(copy, size, kernel, NULL, 0, error);
    if (model == NULL) {
        PyErr_SetString(PyExc_ValueError, error);
        free(memory);
        goto done;
    }
    self = PyObject_New(Model, type);
    if (self == NULL) {
        tinyrnn_close(model);
        free(memory);
        goto done;
    }
    self->model = model;
    self->memory = memory;
    self->scores = self->states = (answers){{NULL, NULL}, 0};
done:
    PyBuffer_Release(&file);
    return (PyObject *)self;
}

static void model_dealloc(PyObject *object) {
    Model *self = (Model *)object;
    PyTypeObject *type = Py_TYPE(object);
    tinyrnn_close(self->model);
    free(self->memory);
    for (int i = 0; i < 2; i++) {
        Py_XDECREF(self->scores.of[i]);
        Py_XDECREF(self->states.of[i]);
    }
    PyObject_Free(object);
    Py_DECREF(type);
}

typedef void (*run_function)(const tinyrnn *, void *, const float *, size_t, float *, float *);

/* Frames and states in, scores and next states out. Many frames run without the GIL, in memory of their own. */
static PyObject *run(Model *self, PyObject *const *args, Py_ssize_t given, Py_ssize_t count, int is_streams) {
    static const char *const names[2][4] = {{"frames", "state", "scores", "next_state"},
                                            {"frames", "states", "scores", "next_states"}};
    const tinyrnn *model = self->model;
    const Py_ssize_t states_size = tinyrnn_state_size(model);
    const Py_ssize_t sizes[4] = {tinyrnn_feature_size(model), states_size, tinyrnn_score_count(model), states_size};
    Py_ssize_t one = 1;
    Py_buffer views[4];
    int taken = 0, is_fine = 1;
    PyObject *answer = NULL;
    if (given != 4) {
        PyErr_Format(PyExc_TypeError, "it takes a frame, a state, scores and the next state, got %zd arguments", given);
        return NULL;
    }
    for (; taken < 4 && is_fine; taken += is_fine) {
        Py_ssize_t *many = taken % 2 == 1 && !is_streams ? &one : &count;
        is_fine = take(args[taken], names[is_streams][taken], &float32, many, sizes[taken], taken >= 2,
                       &views[taken]) == 0;
    }
    if (!is_fine) {
        goto done;
    }
    if (views[1].buf != views[3].buf) {
        memmove(views[3].buf, views[1].buf, (size_t)views[3].len);
    }
    const float *frames = views[0].buf;
    float *scores = views[2].buf, *states = views[3].buf;
    if (count == 1) {
        tinyrnn_steps(model, NULL, frames, 1, states, scores);
    } else if (count > 1) {
        void *scratch = malloc(tinyrnn_scratch_size(model));
        if (scratch == NULL) {
            PyErr_NoMemory();
            goto done;
        }
        memset(scratch, 0, tinyrnn_scratch_size(model));
        run_function many = is_streams ? tinyrnn_streams : tinyrnn_steps;
        Py_BEGIN_ALLOW_THREADS
        many(model, scratch, frames, (size_t)count, states, scores);
        Py_END_ALLOW_THREADS
        free(scratch);
    }
    answer = Py_NewRef(Py_None);
done:
    while (taken > 0) {
        PyBuffer_Release(&views[--taken]);
    }
    return answer;
}

/* One frame, into arrays that nobody else holds. */
static PyObject *step_anew(Model *self, PyObject *frame, PyObject *state) {
    const tinyrnn *model = self->model;
    const Py_ssize_t state_size = tinyrnn_state_size(model), score_count = tinyrnn_score_count(model);
    Py_ssize_t one = 1;
    Py_buffer of_frame, of_state;
    if (take(frame, "frames", &float32, &one, tinyrnn_feature_size(model), 0, &of_frame) < 0) {
        return NULL;
    }
    if (take(state, "state", &float32, &one, state_size, 0, &of_state) < 0) {
        PyBuffer_Release(&of_frame);
        return NULL;
    }
    float *to_scores, *to_state;
    PyObject *scores = numpy_answer(&self->scores, score_count, &to_scores), *answer = NULL;
    PyObject *next = scores == NULL ? NULL : numpy_answer(&self->states, state_size, &to_state);
    if (next != NULL) {
        tinyrnn_steps_from(model, NULL, of_frame.buf, 1, of_state.buf, to_state, to_scores);
        answer = PyTuple_Pack(2, scores, next);
    }
    Py_XDECREF(scores);
    Py_XDECREF(next);
    PyBuffer_Release(&of_state);
    PyBuffer_Release(&of_frame);
    return answer;
}

/* The same for what is no row of float32 as it lies: a view with gaps, another type. The rare case pays for copies. */
static PyObject *step_copies(Model *self, PyObject *frame, PyObject *state) {
    PyErr_Clear();
    PyObject *plain_frame = numpy_plain(frame), *plain_state = plain_frame == NULL ? NULL : numpy_plain(state);
    PyObject *answer = plain_state == NULL ? NULL : step_anew(self, plain_frame, plain_state);
    Py_XDECREF(plain_frame);
    Py_XDECREF(plain_state);
    return answer;
}

static PyObject *model_step(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    if (given == 2) {
        PyObject *answer = step_anew((Model *)self, args[0], args[1]);
        const int is_refused = answer == NULL && PyErr_ExceptionMatches(PyExc_ValueError);
        return is_refused ? step_copies((Model *)self, args[0], args[1]) : answer;
    }
    return run((Model *)self, args, given, 1, 0);
}

static PyObject *model_steps(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    return run((Model *)self, args, given, -1, 0);
}

static PyObject *model_streams(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    return run((Model *)self, args, given, -1, 1);
}

typedef uint32_t (*number)(const tinyrnn *);

/* A getter is told by a pointer which number it gives. */
static const number feature_size = tinyrnn_feature_size, state_size = tinyrnn_state_size,
                    score_count = tinyrnn_score_count, stride = tinyrnn_stride;

static PyObject *get_number(PyObject *self, void *which) {
    return PyLong_FromUnsignedLong((*(const number *)which)(((Model *)self)->model));
}

static PyObject *get_kernel(PyObject *self, void *unused) {
    (void)unused;
    return PyUnicode_FromString(tinyrnn_kernel(((Model *)self)->model));
}

static PyObject *get_labels(PyObject *self, void *unused) {
    (void)unused;
    const tinyrnn *model = ((Model *)self)->model;
    Py_ssize_t count = tinyrnn_score_count(model);
    PyObject *labels = PyTuple_New(count);
    for (Py_ssize_t i = 0; labels != NULL && i < count; i++) {
        const char *text = tinyrnn_label(model, (uint32_t)i);
        PyObject *label = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
        if (label == NULL || PyTuple_SetItem(labels, i, label) < 0) {
            Py_CLEAR(labels);
        }
    }
    return labels;
}

static PyMethodDef model_methods[] = {
    {"step", (PyCFunction)(void (*)(void))model_step, METH_FASTCALL,
     "step(frame, state) -> (scores, next_state): one frame, NumPy arrays that nobody else holds. step(frame, state, "
     "scores, next_state): no NumPy is needed; the last two are written to, and state may be next_state."},
    {"steps", (PyCFunction)(void (*)(void))model_steps, METH_FASTCALL,
     "steps(frames, state, scores, next_state): many frames of one stream."},
    {"streams", (PyCFunction)(void (*)(void))model_streams, METH_FASTCALL,
     "streams(frames, states, scores, next_states): one frame of each of many streams."},
    {"windows", (PyCFunction)(void (*)(void))model_windows, METH_FASTCALL,
     "windows(frames, state, scores): equally long windows of frames, each from that state; a row of scores for each, "
     "of its last frame."},
    {"stream", (PyCFunction)(void (*)(void))model_stream, METH_FASTCALL,
     "stream(stride=0): a stream of speech, samples to scores; the stride of frames is the file's if it is 0."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef model_getters[] = {
    {"feature_size", get_number, NULL, "Numbers in a frame.", (void *)&feature_size},
    {"state_size", get_number, NULL, "Numbers in a stream's state.", (void *)&state_size},
    {"score_count", get_number, NULL, "Scores of a step.", (void *)&score_count},
    {"stride", get_number, NULL, "Of speech: 10 ms so many times from frame to frame; 0 where the file does not tell.",
     (void *)&stride},
    {"labels", get_labels, NULL, "What the scores stand for; empty texts where the file does not tell.", NULL},
    {"kernel", get_kernel, NULL, "The code that runs the model.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot model_slots[] = {
    {Py_tp_doc, "Model(file, kernel=None): the bytes of model.native, ready to run."},
    {Py_tp_new, model_new},
    {Py_tp_dealloc, model_dealloc},
    {Py_tp_methods, model_methods},
    {Py_tp_getset, model_getters},
    {0, NULL},
};

PyType_Spec model_spec = {
    "device_runtime.native._native.Model", sizeof(Model), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, model_slots,
};
