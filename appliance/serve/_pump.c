/* The pump: watches all lanes with an epoll of its own, and tells of what is not the usual: another
 * datagram than the awaited ACK, a closed port, the end, blocks that run out. All of that is decided in
 * Python; the usual ACK is answered here (see _lane.h).
 *
 * pump_python.py is the same in Python, and _pump.pyi says what all of it means. Nothing here waits,
 * and nothing keeps a pointer into an object that it holds no reference to.
 */
#define _GNU_SOURCE
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "_lane.h"

enum { DRAIN_MAX = 64, EVENTS = 256, LOOKS_MAX = 32 };

typedef struct Pump {
    PyObject_HEAD
    int epoll;
    Lane **lanes; /* by descriptor; not owned: a lane takes itself out */
    int room;
} Pump;

typedef struct {
    PyTypeObject *lane, *pump;
} State;

static PyObject *event_of(PyObject *owner, int kind, const uint8_t *bytes, ssize_t length)
{
    Py_INCREF(owner); /* before anything is made: that may set the collector going */
    if (kind == DATAGRAM)
        return Py_BuildValue("(Niy#)", owner, kind, (const char *)bytes, (Py_ssize_t)length);
    return Py_BuildValue("(NiO)", owner, kind, Py_None);
}

/* ---- Lane ---- */

static PyObject *lane_new(PyTypeObject *type, PyObject *args, PyObject *kwds)
{
    static char *names[] = {"pump", "fd", NULL};
    State *state = PyType_GetModuleState(type);
    PyObject *pump;
    int fd;
    if (!state || !PyArg_ParseTupleAndKeywords(args, kwds, "O!i:Lane", names, state->pump, &pump, &fd))
        return NULL;
    Pump *own = (Pump *)pump;
    if (own->epoll < 0 || fd < 0) {
        PyErr_SetString(PyExc_ValueError, "a pump or a socket that is closed");
        return NULL;
    }
    if (fd >= own->room) {
        int room = fd < 64 ? 128 : 2 * fd;
        Lane **lanes = PyMem_Realloc(own->lanes, (size_t)room * sizeof *lanes);
        if (!lanes)
            return PyErr_NoMemory();
        memset(lanes + own->room, 0, (size_t)(room - own->room) * sizeof *lanes);
        own->lanes = lanes;
        own->room = room;
    }
    Lane *lane = (Lane *)type->tp_alloc(type, 0);
    if (!lane)
        return NULL;
    lane->fd = -1;
    lane->due = INFINITY;
    lane->blksize = lane->window = 1;
    lane->pump = (Pump *)Py_NewRef(pump);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(own->epoll, EPOLL_CTL_ADD, fd, &event)) {
        PyErr_SetFromErrno(PyExc_OSError);
        Py_DECREF(lane);
        return NULL;
    }
    lane->fd = fd;
    own->lanes[fd] = lane;
    return (PyObject *)lane;
}

static PyObject *lane_end(Lane *lane, PyObject *Py_UNUSED(ignored))
{
    PyObject *owner = lane->owner;
    lane->owner = NULL;
    lane->armed = 0;
    lane->due = INFINITY;
    pieces_release(&lane->pieces, UINT64_MAX - 1);
    Py_XDECREF(owner);
    Py_RETURN_NONE;
}

static void lane_detach(Lane *lane)
{
    Pump *pump = lane->pump;
    int fd = lane->fd;
    lane->fd = -1;
    if (pump && fd >= 0 && fd < pump->room && pump->lanes[fd] == lane) {
        pump->lanes[fd] = NULL;
        if (pump->epoll >= 0)
            epoll_ctl(pump->epoll, EPOLL_CTL_DEL, fd, NULL);
    }
}

static PyObject *lane_close(Lane *lane, PyObject *ignored)
{
    lane_detach(lane);
    return lane_end(lane, ignored);
}

static int lane_traverse(Lane *lane, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(lane));
    Py_VISIT(lane->pump);
    Py_VISIT(lane->owner);
    return 0;
}

static int lane_clear(Lane *lane)
{
    Py_CLEAR(lane->owner);
    return 0;
}

static void lane_dealloc(Lane *lane)
{
    PyTypeObject *type = Py_TYPE(lane);
    PyObject_GC_UnTrack(lane);
    lane_detach(lane);
    pieces_release(&lane->pieces, UINT64_MAX - 1);
    PyMem_Free(lane->pieces.room);
    Py_CLEAR(lane->owner);
    Py_CLEAR(lane->pump);
    type->tp_free(lane);
    Py_DECREF(type);
}

static PyObject *lane_lend(Lane *lane, PyObject *args)
{
    PyObject *owner;
    unsigned int blksize, window;
    unsigned long long low;
    double interval;
    if (!PyArg_ParseTuple(args, "OIIKd:lend", &owner, &blksize, &window, &low, &interval))
        return NULL;
    if (!blksize || blksize > BLKSIZE_MAX || !window || window > WINDOW_MAX || lane->owner) {
        PyErr_SetString(PyExc_ValueError, "blksize, window, or a lane that is lent already");
        return NULL;
    }
    pieces_release(&lane->pieces, UINT64_MAX - 1);
    lane->owner = Py_NewRef(owner);
    lane->blksize = blksize;
    lane->window = window;
    lane->low = low;
    lane->interval = interval;
    lane->base = lane->top = lane->end = lane->last = 0;
    lane->sent = 0;
    lane->due = INFINITY;
    lane->armed = lane->told = 0;
    Py_RETURN_NONE;
}

static PyObject *lane_feed(Lane *lane, PyObject *args)
{
    PyObject *bytes;
    int last;
    if (!PyArg_ParseTuple(args, "Sp:feed", &bytes, &last))
        return NULL;
    size_t size = (size_t)PyBytes_GET_SIZE(bytes);
    uint64_t blocks = size / lane->blksize;
    if (lane->last || (!last && size % lane->blksize)) {
        PyErr_SetString(PyExc_ValueError, "a piece behind the last, or one that is no whole blocks");
        return NULL;
    }
    blocks += last != 0; /* what is left over, or an empty block (RFC 1350 section 6) */
    lane->told = 0;
    if (!blocks)
        Py_RETURN_NONE;
    if (pieces_append(&lane->pieces, bytes, lane->end + 1, blocks))
        return NULL;
    lane->end += blocks;
    if (last)
        lane->last = lane->end;
    Py_RETURN_NONE;
}

static PyObject *lane_arm(Lane *lane, PyObject *args)
{
    unsigned long long base, top;
    double due;
    if (!PyArg_ParseTuple(args, "KKd:arm", &base, &top, &due))
        return NULL;
    if (base > top || top > lane->end) {
        PyErr_SetString(PyExc_ValueError, "blocks that are not here");
        return NULL;
    }
    lane->base = base;
    lane->top = top;
    lane->due = due;
    lane->armed = 1;
    Py_RETURN_NONE;
}

static PyObject *lane_wait(Lane *lane, PyObject *due)
{
    double moment = PyFloat_AsDouble(due);
    if (moment == -1.0 && PyErr_Occurred())
        return NULL;
    lane->due = moment;
    lane->armed = 0;
    Py_RETURN_NONE;
}

static PyObject *lane_fill(Lane *lane, PyObject *now)
{
    double moment = PyFloat_AsDouble(now);
    if (moment == -1.0 && PyErr_Occurred())
        return NULL;
    return PyBool_FromLong(lane->fd < 0 || fill(lane, moment) == 0);
}

static PyObject *lane_send(Lane *lane, PyObject *packets)
{
    if (!PyList_Check(packets)) {
        PyErr_SetString(PyExc_TypeError, "a list of packets is wanted");
        return NULL;
    }
    for (Py_ssize_t index = 0; index < PyList_GET_SIZE(packets); index++) {
        PyObject *packet = PyList_GET_ITEM(packets, index);
        char *bytes;
        Py_ssize_t length;
        if (PyBytes_AsStringAndSize(packet, &bytes, &length))
            return NULL;
        if (lane->fd >= 0 && send(lane->fd, bytes, (size_t)length, MSG_DONTWAIT) < 0 && errno == ECONNREFUSED)
            Py_RETURN_FALSE;
    }
    Py_RETURN_TRUE;
}

static PyObject *lane_hear(Lane *lane, PyObject *now)
{
    uint8_t bytes[HEARD_MAX];
    ssize_t length;
    double moment = PyFloat_AsDouble(now);
    if (moment == -1.0 && PyErr_Occurred())
        return NULL;
    int kind = lane->fd < 0 ? -1 : step(lane, moment, bytes, &length);
    if (kind < 0)
        Py_RETURN_NONE;
    return event_of(lane->owner ? lane->owner : Py_None, kind, bytes, length);
}

static PyObject *lane_drain(Lane *lane, PyObject *Py_UNUSED(ignored))
{
    uint8_t bytes[HEARD_MAX];
    for (int count = 0; count < DRAIN_MAX; count++)
        if (recv(lane->fd, bytes, sizeof bytes, MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            Py_RETURN_TRUE;
    Py_RETURN_FALSE;
}

static PyObject *lane_packet(Lane *lane, PyObject *argument)
{
    long long number = PyLong_AsLongLong(argument);
    struct iovec payload;
    if (number == -1 && PyErr_Occurred())
        return NULL;
    if (number < 1 || !find(lane, (uint64_t)number, &payload))
        Py_RETURN_NONE;
    PyObject *packet = PyBytes_FromStringAndSize(NULL, HEADER + (Py_ssize_t)payload.iov_len);
    if (!packet)
        return NULL;
    char *bytes = PyBytes_AS_STRING(packet);
    header((uint8_t *)bytes, (uint64_t)number);
    memcpy(bytes + HEADER, payload.iov_base, payload.iov_len);
    return packet;
}

static PyObject *lane_release(Lane *lane, PyObject *argument)
{
    long long number = PyLong_AsLongLong(argument);
    if (number == -1 && PyErr_Occurred())
        return NULL;
    if (number > 0)
        pieces_release(&lane->pieces, (uint64_t)number);
    Py_RETURN_NONE;
}

static PyObject *lane_last(Lane *lane, void *Py_UNUSED(closure))
{
    if (!lane->last)
        Py_RETURN_NONE;
    return PyLong_FromUnsignedLongLong(lane->last);
}

static PyObject *lane_hungry(Lane *lane, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(wants(lane));
}

static PyMethodDef lane_methods[] = {
    {"lend", (PyCFunction)lane_lend, METH_VARARGS, "lend(owner, blksize, window, low, interval)"},
    {"end", (PyCFunction)lane_end, METH_NOARGS, NULL},
    {"close", (PyCFunction)lane_close, METH_NOARGS, NULL},
    {"feed", (PyCFunction)lane_feed, METH_VARARGS, "feed(piece, last)"},
    {"arm", (PyCFunction)lane_arm, METH_VARARGS, "arm(base, top, due)"},
    {"wait", (PyCFunction)lane_wait, METH_O, "wait(due)"},
    {"fill", (PyCFunction)lane_fill, METH_O, "fill(now)"},
    {"send", (PyCFunction)lane_send, METH_O, "send(packets)"},
    {"hear", (PyCFunction)lane_hear, METH_O, "hear(now)"},
    {"drain", (PyCFunction)lane_drain, METH_NOARGS, NULL},
    {"packet", (PyCFunction)lane_packet, METH_O, "packet(number)"},
    {"release", (PyCFunction)lane_release, METH_O, "release(number)"},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef lane_members[] = {
    {"base", T_ULONGLONG, offsetof(Lane, base), READONLY, NULL},
    {"top", T_ULONGLONG, offsetof(Lane, top), READONLY, NULL},
    {"sent", T_DOUBLE, offsetof(Lane, sent), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef lane_getset[] = {
    {"last", (getter)lane_last, NULL, NULL, NULL},
    {"hungry", (getter)lane_hungry, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot lane_slots[] = {
    {Py_tp_new, lane_new},
    {Py_tp_dealloc, lane_dealloc},
    {Py_tp_traverse, lane_traverse},
    {Py_tp_clear, lane_clear},
    {Py_tp_methods, lane_methods},
    {Py_tp_members, lane_members},
    {Py_tp_getset, lane_getset},
    {0, NULL},
};

static PyType_Spec lane_spec = {
    .name = "appliance.serve._pump.Lane",
    .basicsize = sizeof(Lane),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = lane_slots,
};

/* ---- Pump ---- */

static PyObject *pump_new(PyTypeObject *type, PyObject *args, PyObject *kwds)
{
    static char *names[] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwds, ":Pump", names))
        return NULL;
    Pump *pump = (Pump *)type->tp_alloc(type, 0);
    if (!pump)
        return NULL;
    pump->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (pump->epoll < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        Py_DECREF(pump);
        return NULL;
    }
    return (PyObject *)pump;
}

static void pump_dealloc(Pump *pump)
{
    PyTypeObject *type = Py_TYPE(pump);
    if (pump->epoll >= 0)
        close(pump->epoll);
    PyMem_Free(pump->lanes); /* empty: every lane holds its pump */
    type->tp_free(pump);
    Py_DECREF(type);
}

static PyObject *pump_fileno(Pump *pump, PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromLong(pump->epoll);
}

static PyObject *pump_close(Pump *pump, PyObject *Py_UNUSED(ignored))
{
    if (pump->epoll >= 0)
        close(pump->epoll);
    pump->epoll = -1;
    Py_RETURN_NONE;
}

/* Appends and gives up the reference; 0, or -1 with an exception. */
static int append(PyObject *list, PyObject *item)
{
    int fault = item ? PyList_Append(list, item) : -1;
    Py_XDECREF(item);
    return fault;
}

/* One look at the lanes that have heard something; how many, or -1 with an exception. */
static int look(Pump *pump, double now, PyObject *told)
{
    struct epoll_event events[EVENTS];
    uint8_t bytes[HEARD_MAX];
    ssize_t length;
    int count = epoll_wait(pump->epoll, events, EVENTS, 0);
    for (int index = 0; index < count; index++) {
        int fd = events[index].data.fd;
        Lane *lane = fd < pump->room ? pump->lanes[fd] : NULL;
        int kind = lane ? step(lane, now, bytes, &length) : 0;
        if (kind > 0 && append(told, event_of(lane->owner, kind, bytes, length)))
            return -1;
    }
    return count < 0 ? 0 : count;
}

static PyObject *pump_run(Pump *pump, PyObject *argument)
{
    double now = PyFloat_AsDouble(argument);
    if (now == -1.0 && PyErr_Occurred())
        return NULL;
    PyObject *told = PyList_New(0);
    /* While this goes on the next ACKs come, and to look again costs less than to be called again. */
    for (int total = 0, looks = 0; told && total < EVENTS && looks < LOOKS_MAX; looks++) {
        int count = look(pump, now, told);
        if (count < 0)
            Py_CLEAR(told);
        if (count <= 0)
            break;
        total += count;
    }
    return told;
}

static PyObject *pump_due(Pump *pump, PyObject *argument)
{
    double now = PyFloat_AsDouble(argument);
    if (now == -1.0 && PyErr_Occurred())
        return NULL;
    PyObject *owners = PyList_New(0);
    for (int fd = 0; owners && fd < pump->room; fd++) {
        Lane *lane = pump->lanes[fd];
        if (lane && lane->owner && lane->due <= now && append(owners, Py_NewRef(lane->owner)))
            Py_CLEAR(owners);
    }
    return owners;
}

static PyMethodDef pump_methods[] = {
    {"fileno", (PyCFunction)pump_fileno, METH_NOARGS, NULL},
    {"close", (PyCFunction)pump_close, METH_NOARGS, NULL},
    {"run", (PyCFunction)pump_run, METH_O, "run(now)"},
    {"due", (PyCFunction)pump_due, METH_O, "due(now)"},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot pump_slots[] = {
    {Py_tp_new, pump_new},
    {Py_tp_dealloc, pump_dealloc},
    {Py_tp_methods, pump_methods},
    {0, NULL},
};

static PyType_Spec pump_spec = {
    .name = "appliance.serve._pump.Pump",
    .basicsize = sizeof(Pump),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = pump_slots,
};

/* ---- the module ---- */

static int begin(PyObject *module)
{
    State *state = PyModule_GetState(module);
    state->pump = (PyTypeObject *)PyType_FromModuleAndSpec(module, &pump_spec, NULL);
    state->lane = (PyTypeObject *)PyType_FromModuleAndSpec(module, &lane_spec, NULL);
    if (!state->pump || !state->lane || PyModule_AddType(module, state->pump) ||
        PyModule_AddType(module, state->lane))
        return -1;
    return 0;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    State *state = PyModule_GetState(module);
    Py_VISIT(state->pump);
    Py_VISIT(state->lane);
    return 0;
}

static int module_clear(PyObject *module)
{
    State *state = PyModule_GetState(module);
    Py_CLEAR(state->pump);
    Py_CLEAR(state->lane);
    return 0;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, begin},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "appliance.serve._pump",
    .m_doc = "The usual way of a TFTP block.",
    .m_size = sizeof(State),
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
};

PyMODINIT_FUNC PyInit__pump(void)
{
    return PyModuleDef_Init(&definition);
}
