# solution.py - the process of the solution: runs it, then does what the tests ask.  It never sees a
# test or an expected value.  Follows peer.py in one file.


def answer(peer, what, x=None, *more):
    if what == "load":
        return load()
    if what == "global":
        return module.__dict__[x]
    if what == "call":
        return peer.called(x, *more)
    if what == "attribute":
        return getattr(x, *more)
    if what == "set attribute":
        return setattr(x, *more)
    if what == "item":
        return x[more[0]]
    if what == "set item":
        x[more[0]] = more[1]
        return None
    if what == "iterate":
        return iter(x)
    if what == "next":
        return next_of(x)
    return answer_rare(what, x, *more)


def answer_rare(what, x, *more):
    if what == "length":
        return len(x)
    if what == "truth":
        return bool(x)
    if what == "text":
        return str(x)
    if what == "representation":
        return repr(x)
    if what == "equal":
        return bool(x == more[0])
    if what == "instance":
        return isinstance(more[0], x)
    if what == "add":
        return x + more[0]
    if what == "subtract":
        return x - more[0]
    if what == "multiply":
        return x * more[0]
    if what == "negate":
        return -x
    raise ValueError(what)


def next_of(x):
    try:
        return (next(x),)
    except StopIteration:
        return ()


def load():
    try:
        run_file("prompt.py")  # imports and helpers that the solution takes for granted
    except BaseException:
        pass  # prose
    run_file("solution.py")
    return [name for name in module.__dict__ if name[:2] != "__"]


def run_file(name):
    with open(name, "rb") as f:
        source = f.read()
    exec(compile(source, name, "exec"), module.__dict__)


posix = sys.modules["posix"]
null = posix.open("/dev/null", 2)
posix.dup2(null, 1)
posix.dup2(null, 2)
module = type(sys)("solution")
sys.modules["solution"] = module
sys.setrecursionlimit(sys.getrecursionlimit() + 40)  # what is on the stack before the solution
try:
    Peer(answer, True).converse()
except Gone:
    posix._exit(0)
