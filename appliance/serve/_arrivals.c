/* Requests and their short answers by the batch: one call for many datagrams of the listening socket.
 *
 * arrivals_python.py is the same in Python. Nothing here waits, and nothing is kept from call to call.
 */
#define _GNU_SOURCE
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#ifndef SO_RXQ_OVFL
#define SO_RXQ_OVFL 40
#endif

enum { BATCH = 64 };
enum { REQUEST_MAX = 1025 }; /* bytes: one more than a request may have */
enum { CONTROL_MAX = 256 };

typedef union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} Address;

typedef union {
    char bytes[CONTROL_MAX];
    struct cmsghdr align;
} Control;

/* The address as Python's sockets give it: (host, port), or (host, port, flow, scope). */
static PyObject *peer_of(const Address *address)
{
    char host[INET6_ADDRSTRLEN];
    if (address->any.sa_family == AF_INET) {
        const uint8_t *octets = (const uint8_t *)&address->v4.sin_addr;
        snprintf(host, sizeof host, "%u.%u.%u.%u", octets[0], octets[1], octets[2], octets[3]);
        return Py_BuildValue("(si)", host, ntohs(address->v4.sin_port));
    }
    if (!inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof host))
        return PyErr_SetFromErrno(PyExc_OSError);
    return Py_BuildValue("(siII)", host, ntohs(address->v6.sin6_port), ntohl(address->v6.sin6_flowinfo),
                         address->v6.sin6_scope_id);
}

/* 0, or -1 where it is no address of that form. */
static int address_of(PyObject *peer, Address *address, socklen_t *size)
{
    const char *host;
    int port;
    unsigned int flow = 0, scope = 0;
    memset(address, 0, sizeof *address);
    if (!PyArg_ParseTuple(peer, "si|II", &host, &port, &flow, &scope))
        return -1;
    if (inet_pton(AF_INET, host, &address->v4.sin_addr) == 1) {
        address->v4.sin_family = AF_INET;
        address->v4.sin_port = htons((uint16_t)port);
        *size = sizeof address->v4;
        return 0;
    }
    if (inet_pton(AF_INET6, host, &address->v6.sin6_addr) != 1) {
        PyErr_SetString(PyExc_ValueError, "no numeric address");
        return -1;
    }
    address->v6.sin6_family = AF_INET6;
    address->v6.sin6_port = htons((uint16_t)port);
    address->v6.sin6_flowinfo = htonl(flow);
    address->v6.sin6_scope_id = scope;
    *size = sizeof address->v6;
    return 0;
}

/* (datagram, peer, local, ifindex, unicast), or None where the kernel did not say where it came to. */
static PyObject *arrival_of(struct msghdr *message, const char *bytes, size_t length, uint32_t *overflows)
{
    PyObject *arrival = NULL;
    for (struct cmsghdr *each = CMSG_FIRSTHDR(message); each; each = CMSG_NXTHDR(message, each)) {
        if (each->cmsg_level == SOL_SOCKET && each->cmsg_type == SO_RXQ_OVFL) {
            memcpy(overflows, CMSG_DATA(each), sizeof *overflows);
        } else if (each->cmsg_level == IPPROTO_IP && each->cmsg_type == IP_PKTINFO && !arrival) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(each), sizeof info);
            /* The kernel names an address of ours as the one to answer from; for broadcast and
             * multicast that is not the address which was asked. */
            int unicast = info.ipi_spec_dst.s_addr == info.ipi_addr.s_addr &&
                          !IN_MULTICAST(ntohl(info.ipi_addr.s_addr));
            arrival = Py_BuildValue("(y#Ny#iN)", bytes, (Py_ssize_t)length, peer_of(message->msg_name),
                                    (char *)&info.ipi_addr, (Py_ssize_t)sizeof info.ipi_addr,
                                    (int)info.ipi_ifindex, PyBool_FromLong(unicast));
            if (!arrival)
                return NULL;
        } else if (each->cmsg_level == IPPROTO_IPV6 && each->cmsg_type == IPV6_PKTINFO && !arrival) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(each), sizeof info);
            arrival = Py_BuildValue("(y#Ny#iN)", bytes, (Py_ssize_t)length, peer_of(message->msg_name),
                                    (char *)&info.ipi6_addr, (Py_ssize_t)sizeof info.ipi6_addr,
                                    (int)info.ipi6_ifindex,
                                    PyBool_FromLong(!IN6_IS_ADDR_MULTICAST(&info.ipi6_addr)));
            if (!arrival)
                return NULL;
        }
    }
    return arrival ? arrival : Py_NewRef(Py_None);
}

static PyObject *receive(PyObject *Py_UNUSED(module), PyObject *argument)
{
    static const struct mmsghdr nothing;
    char bytes[BATCH][REQUEST_MAX];
    Address peers[BATCH];
    Control controls[BATCH];
    struct iovec parts[BATCH];
    struct mmsghdr messages[BATCH];
    int fd = (int)PyLong_AsLong(argument);
    if (fd == -1 && PyErr_Occurred())
        return NULL;
    for (int index = 0; index < BATCH; index++) {
        parts[index] = (struct iovec){bytes[index], REQUEST_MAX};
        messages[index] = nothing;
        struct msghdr *message = &messages[index].msg_hdr;
        message->msg_name = &peers[index];
        message->msg_namelen = sizeof peers[index];
        message->msg_iov = &parts[index];
        message->msg_iovlen = 1;
        message->msg_control = &controls[index];
        message->msg_controllen = sizeof controls[index];
    }
    int count = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
    if (count < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            return PyErr_SetFromErrno(PyExc_OSError);
        count = 0;
    }
    uint32_t overflows = 0;
    PyObject *arrivals = PyList_New(0);
    for (int index = 0; arrivals && index < count; index++) {
        PyObject *arrival =
            arrival_of(&messages[index].msg_hdr, bytes[index], messages[index].msg_len, &overflows);
        if (!arrival || PyList_Append(arrivals, arrival))
            Py_CLEAR(arrivals);
        Py_XDECREF(arrival);
    }
    return arrivals ? Py_BuildValue("(NI)", arrivals, overflows) : NULL;
}

/* The control message that has an answer leave from the address that was asked. */
static int leave_from(struct msghdr *message, Control *control, const char *local, Py_ssize_t size, int ifindex)
{
    memset(control, 0, sizeof *control);
    message->msg_control = control;
    message->msg_controllen = sizeof *control;
    struct cmsghdr *first = CMSG_FIRSTHDR(message);
    if (size == 4) {
        struct in_pktinfo info = {0};
        memcpy(&info.ipi_spec_dst, local, 4);
        first->cmsg_level = IPPROTO_IP;
        first->cmsg_type = IP_PKTINFO;
        first->cmsg_len = CMSG_LEN(sizeof info);
        memcpy(CMSG_DATA(first), &info, sizeof info);
        message->msg_controllen = CMSG_SPACE(sizeof info);
        return 0;
    }
    if (size != 16) {
        PyErr_SetString(PyExc_ValueError, "an address has 4 bytes or 16");
        return -1;
    }
    struct in6_pktinfo info = {0};
    memcpy(&info.ipi6_addr, local, 16);
    /* The way back is the routing table's matter, but for addresses that mean nothing without a link. */
    info.ipi6_ifindex = IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr) ? (unsigned)ifindex : 0;
    first->cmsg_level = IPPROTO_IPV6;
    first->cmsg_type = IPV6_PKTINFO;
    first->cmsg_len = CMSG_LEN(sizeof info);
    memcpy(CMSG_DATA(first), &info, sizeof info);
    message->msg_controllen = CMSG_SPACE(sizeof info);
    return 0;
}

/* What does not go out is as if lost on the way: the client asks again. */
static void send_all(int fd, struct mmsghdr *messages, unsigned count)
{
    for (unsigned done = 0; done < count;) {
        int sent = sendmmsg(fd, messages + done, count - done, MSG_DONTWAIT);
        done += sent > 0 ? (unsigned)sent : 1;
    }
}

static PyObject *reply(PyObject *Py_UNUSED(module), PyObject *args)
{
    static const struct mmsghdr nothing;
    Address peers[BATCH];
    Control controls[BATCH];
    struct iovec parts[BATCH];
    struct mmsghdr messages[BATCH];
    unsigned count = 0;
    int fd;
    PyObject *answers;
    if (!PyArg_ParseTuple(args, "iO!:reply", &fd, &PyList_Type, &answers))
        return NULL;
    for (Py_ssize_t index = 0; index < PyList_GET_SIZE(answers); index++) {
        PyObject *peer;
        const char *bytes, *local;
        Py_ssize_t length, size;
        int ifindex;
        if (!PyArg_ParseTuple(PyList_GET_ITEM(answers, index), "y#O!y#i", &bytes, &length, &PyTuple_Type, &peer,
                              &local, &size, &ifindex))
            return NULL;
        messages[count] = nothing;
        struct msghdr *message = &messages[count].msg_hdr;
        if (address_of(peer, &peers[count], &message->msg_namelen) ||
            leave_from(message, &controls[count], local, size, ifindex))
            return NULL;
        parts[count] = (struct iovec){(void *)bytes, (size_t)length};
        message->msg_name = &peers[count];
        message->msg_iov = &parts[count];
        message->msg_iovlen = 1;
        if (++count == BATCH) {
            send_all(fd, messages, count);
            count = 0;
        }
    }
    send_all(fd, messages, count);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"receive", receive, METH_O, "receive(fd): what has come, and how many the kernel has dropped so far"},
    {"reply", reply, METH_VARARGS, "reply(fd, answers)"},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "appliance.serve._arrivals",
    .m_doc = "Requests and their short answers by the batch.",
    .m_methods = functions,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__arrivals(void)
{
    return PyModuleDef_Init(&definition);
}
