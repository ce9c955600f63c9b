"""The built-in data set: 633 drawn videos of 52 people who show five expressions, a stand-in for MUG (paper A.4).

    python data.py show faces

Everything is drawn with numpy, antialiased, and every video by random numbers of its own, so the same seed gives the
same bytes. Shapes: F frames of all videos end to end, T frames of one video, N videos, H W pixels.
"""

from types import SimpleNamespace

import numpy as np

# What tells two people apart. Every factor is a label; the values are what the pencil needs to know.
FACE_FACTORS = {
    "skin": {"porcelain": "f9d9c6", "peach": "f0c2a0", "olive": "d9a679", "tan": "c08457", "brown": "8f5a3a",
             "ebony": "6e4431"},
    "face": {  # half width, height of the lower half, narrowing towards the chin, squareness of the jaw
        "oval": (0.79, 1.00, 0.10, 0.15), "round": (0.86, 0.93, 0.00, 0.20), "square": (0.79, 0.98, 0.02, 0.50),
        "heart": (0.84, 1.00, 0.27, 0.20), "long": (0.73, 1.06, 0.08, 0.30)},
    "hair_style": {  # volume, hairline, its curve and slope, length beside the face, half width and length behind it
        "buzz": (0.03, -0.60, 0.75, 0, 0, 0, 0), "parted": (0.13, -0.56, 0.62, 0.22, 0, 0, 0),
        "quiff": (0.05, -0.62, 0.80, 0.12, 0, 0, 0), "curly": (0.12, -0.55, 0.60, 0, 0, 0, 0),
        "bob": (0.14, -0.40, 0.25, 0, 0.60, 0.96, 0.72), "long": (0.13, -0.72, 1.35, 0, 0.90, 0.95, 1.70),
        "bun": (0.07, -0.66, 0.95, 0, 0, 0, 0)},
    "hair_colour": {"black": "2b2733", "brown": "5b3a29", "chestnut": "8a4b2c", "copper": "b04a26", "blond": "e3b565",
                    "silver": "adb1bd"},
    "eye_colour": {"brown": "6b3f22", "blue": "3f86c9", "green": "4d9a5f", "grey": "75838f"},
    "brows": {  # half thickness, arch
        "thin": (0.026, 0.09), "arched": (0.040, 0.14), "straight": (0.046, 0.02), "bushy": (0.064, 0.06)},
    "beard": {"none": 0, "stubble": 1, "moustache": 2, "full": 3},
    "glasses": {"none": 0, "round": 1, "square": 2},
    "background": {"sky": "a9d3ee", "mint": "b4e0cc", "sand": "f0dcb4", "rose": "f2bfc4", "lilac": "cbbfea",
                   "slate": "8fa3b8"},
}  # fmt: skip
FACE_SHARES = {"beard": (5, 1, 1, 1), "glasses": (4, 1, 1)}  # the values of the other factors are equally frequent
FACE_RANGES = {  # what differs between people without a name: places, sizes, asymmetries
    "eye_x": (0.34, 0.40), "eye_y": (-0.09, -0.03), "eye_w": (0.19, 0.24), "eye_h": (0.10, 0.13), "iris": (0.104, 0.12),
    "slant": (-0.03, 0.03), "gaze": (-0.01, 0.01), "brow_y": (0.23, 0.28), "wry": (-0.25, 0.25), "rosy": (0.1, 0.34),
    "nose_y": (0.215, 0.275), "nose_w": (0.095, 0.155), "mouth_y": (0.52, 0.57), "mouth_w": (0.28, 0.34),
    "lips": (0.03, 0.07), "scale": (0.67, 0.71),
}  # fmt: skip
SHIRTS = "3d5a80", "7a3b69", "2f6f62", "c8553d", "f4f1ea", "3a3a44", "e0a93b"

# How far each muscle goes at the apex, in the spirit of Ekman's action units; what is not named stays at rest.
EXPRESSIONS = {
    "anger": dict(inner=-1.0, outer=0.35, furrow=1.0, lid=-0.12, squint=0.25, tilt=0.55, smile=-0.55, open=0.42,
                  lift=0.35, square=1.0, teeth=0.9, bite=1.0, press=0.6, wrinkle=0.25, flush=1.0, nod=0.5),
    "disgust": dict(inner=-0.6, outer=-0.5, furrow=0.5, lid=-0.5, squint=0.7, smile=-0.5, width=-0.12, open=0.25,
                    lift=0.75, sneer=1.0, teeth=0.7, wrinkle=1.0, cheek=0.4, fold=1.0, nod=-0.3),
    "happiness": dict(inner=0.15, outer=0.2, lid=-0.45, squint=0.8, smile=1.0, width=0.3, open=0.8, teeth=1.0,
                      cheek=1.0, fold=0.6, nod=-0.2),
    "sadness": dict(inner=0.95, outer=-0.75, furrow=0.4, lid=-0.3, tilt=-0.5, gaze=0.7, smile=-1.4, width=-0.05,
                    pout=1.0, nod=1.0),
    "surprise": dict(inner=1.0, outer=0.9, lid=0.45, open=1.3, lift=0.65, square=0.35, width=-0.36, jaw=1.0, teeth=0.35,
                     lines=1.0, nod=-0.7),
}  # fmt: skip
MUSCLES = sorted({muscle for face in EXPRESSIONS.values() for muscle in face})


def rgb(colour):
    """The float32 (3, 1, 1) in [0, 1] of a colour such as "f9d9c6"."""
    return np.array([int(colour[k : k + 2], 16) / 255 for k in (0, 2, 4)], np.float32).reshape(3, 1, 1)


def ease(x):
    """A smooth step from 0 (below 0) to 1 (above 1)."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def wave(x):
    """A sine to the eye, of period 1, made of parabolas."""
    x = 2 * (x % 1) - 1
    return 4 * x * (np.abs(x) - 1)


# Shapes are signed distances, negative inside and exact only near the edge, which is where they are looked at
def disc(u, v, a, b):
    return (np.sqrt((u / a) ** 2 + (v / b) ** 2) - 1) * np.minimum(a, b, dtype=np.float32)


def both(shape, *others):
    for other in others:
        shape = np.maximum(shape, other)
    return shape


def stroke(distance, half, ends):
    """A line of half a thickness along distance = 0, as long as `ends` is negative."""
    return np.maximum(np.abs(distance) - half, ends)


class Canvas:
    """
    T frames of a head in the making. Its coordinates u (to the right) and v (down) move with the head: the face spans
    about -0.8..0.8 by -1..1. The pixels see +, -, *, / and square roots only, which IEEE 754 rounds in one way: the
    bytes depend neither on the processor nor on the number of threads.
    """

    def __init__(self, still, cx, cy, roll, scale):
        """still: the picture behind, (3, H, W); the head's centre cx, cy and the sine of its roll, a value a frame."""
        size = still.shape[-1]
        self.rgb, self.pixel = np.repeat(still[None], len(cx), axis=0), 2 / size / scale  # (T, 3, H, W)
        cx, cy, sin, cos = (a.astype(np.float32)[:, None, None] for a in (cx, cy, roll, np.sqrt(1 - roll * roll)))
        self.place = lambda u, v: ((u * cos - v * sin) * scale + cx, (v * cos + u * sin) * scale + cy)
        grid = (np.arange(size, dtype=np.float32) + 0.5) * 2 / size - 1
        x, y = (grid[None, None] - cx) / scale, (grid[None, :, None] - cy) / scale
        self.u, self.v = x * cos + y * sin, y * cos - x * sin  # (T, H, W)

    def look(self, left, top, right, bottom):
        """Work on one rectangle of the head, for most shapes are small; returns its u and v, (T, h, w)."""
        x, y = self.place(np.array([left, left, right, right]), np.array([top, bottom, top, bottom]))
        low, high = ([int((f(a) + 1) * len(self.u[0]) / 2) for a in (y, x)] for f in (np.min, np.max))
        rows, columns = (slice(max(0, a - 1), max(0, b + 2)) for a, b in zip(low, high, strict=True))
        self.target = self.rgb[:, :, rows, columns]
        return self.u[:, rows, columns].copy(), self.v[:, rows, columns].copy()

    def paint(self, distance, colour, opacity=1.0, blur=None):
        """Lay a colour over the inside of a shape in the rectangle; its edge is a pixel wide, or a blur."""
        alpha = np.clip(0.5 - distance / self.pixel, 0, 1) if blur is None else ease(0.5 - distance / blur)
        self.target += (alpha * opacity)[:, None] * (colour - self.target)


def draw_people(rng, count=52):
    """Everybody: (factors, a dict of int64 arrays (count,); people, a list of what the pencil needs of each)."""
    between = lambda low, high: low + (high - low) * float(rng.random())  # noqa: E731
    factors, people = {}, []
    for name, values in FACE_FACTORS.items():
        spread = np.resize(np.repeat(np.arange(len(values)), FACE_SHARES.get(name, 1)), count)
        factors[name] = spread[np.argsort(rng.random(count))]
    for i in range(count):
        p = SimpleNamespace(**{name: list(values.values())[factors[name][i]] for name, values in FACE_FACTORS.items()})
        p.look = list(FACE_FACTORS["hair_style"])[factors["hair_style"][i]]
        for name in "skin", "hair_colour", "eye_colour", "background":  # no two people share one exact colour
            tint = between(0.95, 1.05) + 0.06 * rng.random((3, 1, 1)) - 0.03
            setattr(p, name, np.clip(rgb(getattr(p, name)) * tint, 0, 1).astype(np.float32))
        p.face = [value + between(-0.02, 0.02) for value in p.face]
        p.shirt, p.frame = rgb(SHIRTS[int(between(0, len(SHIRTS)))]), rgb(("2a2530", "8a5a3a")[int(between(0, 2))])
        for name, (low, high) in FACE_RANGES.items():
            setattr(p, name, between(low, high))
        p.side = (-1, 1)[int(between(0, 2))]  # of the parting and the sneer
        p.style = {muscle: between(0.85, 1.15) for muscle in MUSCLES}
        p.style["open"] = between(0.5, 1.3)  # some bare their teeth where others press their lips
        people.append(p)
    return factors, people


def act(person, expression, frames, rng):
    """One take: (the muscles' levels, a dict of float32 (T, 1, 1); the pose of the head, a dict of (T,))."""
    between = lambda low, high: low + (high - low) * float(rng.random())  # noqa: E731
    t = np.arange(frames) / (frames - 1)  # the apex holds at least from 0.49 to 0.53
    rise, fall, power = between(0.14, 0.30), between(0.14, 0.26), between(0.8, 1.05)
    start, end = between(0.05, 0.46 - rise), between(0.56 + fall, 0.96)
    power = power * (1 + between(0, 0.05) * wave(between(2, 5) * t + between(0, 1)))  # nobody holds quite still
    muscles, pose = {}, {}
    for name in MUSCLES:  # each has a small lead or lag, so that a face does not move as one piece
        strength = EXPRESSIONS[expression].get(name, 0) * person.style[name] * between(0.9, 1.1)
        lag = between(-0.03, 0.03)
        level = strength * power * ease((t - start - lag) / rise) * ease((end + lag - t) / fall)
        muscles[name] = level.astype(np.float32)[:, None, None]
    blink = between(0.06, 0.38) + (0, 0.56, 9)[int(between(0, 3))]  # in two takes of three, and never at the apex
    muscles["blink"] = ease(1 - np.abs(t - blink) * frames / 4).astype(np.float32)[:, None, None]
    for name, middle, size in ("cx", 0.03, 0.035), ("cy", 0.03, 0.025), ("roll", 0.03, 0.05), ("yaw", 0.35, 0.5):
        sway = 0.7 * wave(t + between(0, 1)) + 0.3 * wave(2 * t + between(0, 1))  # ends where it began: films may loop
        pose[name] = between(-middle, middle) + size * between(0.3, 1) * sway
    return muscles, pose


def draw_video(p, expression, frames, size, rng):
    """A take of person p, uint8 (T, H, W, 3), painted from back to front. The numbers are taste, tried by eye."""
    m, pose = act(p, expression, frames, rng)
    light, warm, bright = (2 * float(rng.random()) - 1 for _ in range(3))  # the lamp: its side, its hue, its strength
    wide, chin, taper, corner = p.face
    volume, hairline, curve, slope, beside, back_w, back_l = p.hair_style
    hair, skin = p.hair_colour, p.skin * (1 + m["flush"][:, None] * np.float32([[[0.03]], [[-0.07]], [[-0.07]]]))
    shade, ink, lash = skin * rgb("cf9686"), skin * rgb("7a4038"), np.minimum(hair * 0.4, 0.16)

    # The wall and the shoulders stay still, so they are drawn once, in the picture's own x, y from -1 to 1
    x = (np.arange(size, dtype=np.float32) + 0.5) * 2 / size - 1
    x, y = x[None, :], x[:, None]
    still = p.background * (1.08 - 0.10 * np.sqrt((x - 0.4 * light) ** 2 + (y + 0.4) ** 2))
    for colour, a, b, v in (p.shirt, 0.80, 0.50, 1.24), (p.shirt * 0.85, 0.40, 0.44, 1), (p.skin * 0.97, 0.36, 0.4, 1):
        cover = np.clip(0.5 - disc(x, y - v, a, b) * size / 2, 0, 1)
        still = still + cover * (colour * (1.05 - 0.25 * np.abs(x)) - still)
    canvas = Canvas(still, pose["cx"], 0.10 + pose["cy"] + 0.025 * m["nod"][:, 0, 0], pose["roll"], p.scale)
    look, paint = canvas.look, canvas.paint
    yaw, pitch = 0.1 * pose["yaw"].astype(np.float32)[:, None, None], 0.04 * m["nod"]  # what is nearer moves further

    def head(u, v, grow=0.0):
        low, high = np.maximum(v, 0) / (chin + grow + 0.12 * m["jaw"]), np.minimum(v, 0) / (1 + grow)
        a, b = (u / ((wide + grow) * (1 - taper * low))) ** 2, low * low
        return (np.sqrt(np.maximum(a + b + high * high - corner * a * np.minimum(b, 1), 0)) - 1) * (wide + grow)

    # Long hair behind the neck, the neck and the chin's shadow on it, the ears
    if back_l:
        u, v = look(-1.1, -1.2, 1.1, back_l + 0.1)
        a, b = np.abs(u) - back_w + 0.6, np.abs(v - back_l / 2 + 0.55) - back_l / 2 + 0.05
        paint(np.sqrt(np.maximum(a, 0) ** 2 + np.maximum(b, 0) ** 2) - 0.6, hair * (0.8 - 0.12 * v[:, None]))
    u, v = look(-0.45, 0.4, 0.45, 1.5)
    neck = both(np.abs(u) - 0.36, v - 1.35)
    paint(neck, skin * 0.97)
    paint(both(neck, head(u, v - 0.18, 0.02)), shade, 0.8)
    u, v = look(-1.1, -0.25, 1.1, 0.35)
    s = np.abs(u + 0.5 * yaw) - wide  # in the mirror of the nose, so one stroke draws both sides
    paint(disc(s, v - 0.04, 0.13, 0.20), skin * 0.96)
    paint(disc(s - 0.02, v - 0.04, 0.07, 0.12), shade, 0.8)

    # The face, darker at the rim that the lamp does not reach; the beard
    u, v = look(-1.0, -1.05, 1.0, 1.3)
    rim = ease(0.5 + head(u - 0.12 * light, v + 0.05, -0.08) / 0.2)[:, None]
    paint(head(u, v), skin * (1.03 - 0.05 * v[:, None]) + 0.5 * rim * (shade - skin))
    if p.beard in (1, 3):
        edge = 0.36 - 0.75 * np.maximum(np.abs(u - yaw) - 0.38, 0)  # from under the nose to the ears
        if p.beard == 3:
            paint(both(head(u, v, 0.05), edge - v), hair * (1.05 - 0.25 * v[:, None]))
        else:
            paint(both(head(u, v, -0.08), edge - v), hair * 0.6, 0.3, blur=0.16)

    # Cheeks, the folds beside the mouth, the nose and its wrinkles
    u, v = look(-0.85, -0.2, 0.85, 0.75)
    s, v = np.abs(u - yaw), v - pitch
    rosy = p.rosy + 0.25 * m["cheek"] + 0.15 * m["flush"]
    paint(disc(s - 0.47, v - 0.30 + 0.07 * m["cheek"], 0.24, 0.17), skin * rgb("f4837f"), rosy, blur=0.22)
    a = v - 0.2
    paint(stroke(s - 0.19 - 0.55 * a + 0.5 * a * a, 0.016, np.abs(a - 0.16) - 0.16), ink, 0.5 * m["fold"], blur=0.06)
    u, v = look(-0.4, -0.75, 0.4, 0.45)
    u, v = u - 1.8 * yaw, v - 1.4 * pitch + 0.05 * m["wrinkle"] - p.nose_y
    s, wing = np.abs(u), p.nose_w * (1 + 0.22 * m["wrinkle"])
    bridge = disc(u + 0.06 * light, v + 0.15, 0.085 + 0.3 * p.nose_w, 0.36)
    paint(both(bridge, -disc(u - 0.02 * light, v + 0.17, 0.06, 0.4)), shade, 0.5, blur=0.1)
    paint(disc(u, v + 0.03, wing * 0.95, 0.075), skin * 1.06, 0.7, blur=0.07)
    paint(stroke(v - 0.055 + 0.09 * (u / wing) ** 2, 0.018, s - wing), ink, 0.75)
    for k in range(3):
        paint(stroke(v + 0.22 + 0.09 * k - 0.6 * s, 0.014, s - 0.12 + 0.02 * k), ink, 0.7 * m["wrinkle"])
    paint(stroke(s - 0.02 + 0.1 * v, 0.014, np.abs(v + 0.5) - 0.09), ink, np.minimum(0.8 * m["furrow"], 1))

    # The mouth lies between two curves over w, from -1 to 1: lips, the dark inside, tongue and teeth
    u, v = look(-0.55, 0.25, 0.55, 1.15)
    w, v = (u - 1.2 * yaw) / p.mouth_w, v - pitch - p.mouth_y - 0.05 * m["jaw"] + 0.03 * m["lift"]
    w = w / (1 + m["width"] - 0.12 * m["press"])
    arc, ends, sneer = 1 - w * w, np.abs(w) - 1, p.side * m["sneer"] * w
    lens = arc * (1 + m["square"] * w * w)
    middle = 0.17 * m["smile"] * (0.35 - w * w) - 0.05 * m["pout"] * arc - 0.07 * sneer
    upper = middle - lens * (0.016 + 0.16 * m["lift"] * (1 + 0.7 * sneer))
    lower = middle + lens * (0.018 + 0.24 * m["open"])
    thick = p.lips * (1 - 0.5 * m["press"]) * arc
    if p.beard in (2, 3):
        paint(np.abs(v - 0.5 * upper + p.lips + 0.085 - 0.05 * w * w) - 0.07 + 0.05 * w * w, hair * 1.05)
    lips = 0.45 * skin + 0.55 * rgb("c8505c") * (0.7 + 0.3 * p.skin[0])
    paint(both(upper - thick - v, v - lower - thick * (1.3 + 1.2 * m["pout"]), ends), lips, 0.9)
    gap = both(upper - v, v - lower, ends) + 0.008
    paint(gap, rgb("4a1620"))
    paint(both(gap + 0.01, disc(w, v - lower, 0.6, 0.09)), rgb("c85a62"), np.clip(3 * m["open"] - 1, 0, 1))
    paint(both(gap + 0.01, v - upper - 0.115 * m["teeth"]), rgb("fbf7ef"), m["teeth"] > 0.05)
    paint(both(gap + 0.01, lower - v - 0.075 * m["bite"]), rgb("f1ebe0"), m["bite"] > 0.05)

    # The eyes lie between two curves over q, which runs from the nose (-1) to the temple (1)
    u, v = look(-0.85, -0.45, 0.85, 0.3)
    u, v = u - yaw, v - pitch - p.eye_y
    side, s = np.sign(u), np.abs(u) - p.eye_x
    q = s / p.eye_w
    arc = p.eye_h * (1 - q * q)
    paint(disc(s, v + 0.03, 0.30, 0.20), shade, 0.35, blur=0.2)
    lower = arc * (0.85 - 1.15 * m["squint"]) + p.slant * q
    lid = np.clip(1 + m["lid"] - 0.4 * m["squint"], 0.12, 2) * (1 - m["blink"])
    upper = lower - 1.85 * arc * lid * (1 + 0.55 * m["tilt"] * q)
    white = both(upper - v, v - lower)
    paint(white, rgb("ffffff") * (1 - 0.16 * ease((upper + 0.09 - v) / 0.09)[:, None]))
    a, b = s - side * p.gaze, v + 0.012 - 0.05 * m["gaze"]
    ring = np.sqrt(a * a + b * b)
    paint(both(white, ring - p.iris), p.eye_colour * 0.6)
    paint(both(white, ring - p.iris * 0.80), p.eye_colour * (1.15 + 3 * b[:, None]))
    paint(both(white, ring - p.iris * 0.45), rgb("15101a"))
    paint(both(white, disc(side * a + 0.04, b + 0.045, 0.03, 0.03)), rgb("ffffff"))
    paint(stroke(v - upper, 0.024 + 0.008 * q, np.abs(q) - 1.06), lash)
    paint(stroke(v - lower, 0.008, np.abs(q) - 0.95), ink, 0.6)
    paint(stroke(v - upper + 0.055, 0.010, np.abs(q) - 0.85), ink, 0.45)

    # Brows, and the lines of a raised forehead
    u, v = look(-0.85, -0.95, 0.85, -0.05)
    u, v = u - yaw, v - pitch - p.eye_y + p.brow_y
    q = (np.abs(u) - p.eye_x - 0.02 + 0.05 * m["furrow"]) / 0.25
    raised = (m["inner"] * (1 - q) + m["outer"] * (1 + q)) * (1 + p.wry * np.sign(u))
    brow = v + 0.055 * raised + p.brows[1] * (0.6 - q * q)
    paint(stroke(brow, p.brows[0] * (1 - 0.3 * q - 0.2 * q * q), (np.abs(q) - 1) * 0.25), lash + 0.7 * hair)
    for k in range(2):
        wrinkle = stroke(v + 0.27 + 0.1 * k - 0.1 * u * u, 0.012, np.abs(u) - 0.36)
        paint(wrinkle, ink, 0.4 * m["lines"])

    # The hair over the forehead and beside the face, and its shadow on the skin
    u, v = look(-1.15, -1.6, 1.15, max(beside, 0.35) + 0.05)
    s = np.abs(u)
    skull = crown = head(u, v, volume)
    if p.look == "bun":
        crown = np.minimum(crown, disc(u, v + 1.17, 0.36, 0.27))
    if p.look == "quiff":
        a, b = ((u - 0.08 * p.side) / 0.80) ** 2, ((v + 0.72 - 0.12 * p.side * u) / 0.56) ** 2
        crown = np.minimum(crown, 0.56 * (np.sqrt(a + b - 0.3 * np.minimum(a * b, 1)) - 1))
    if p.look == "curly":
        for cu, cv in (0.0, -1.05), (0.36, -1.0), (0.67, -0.82), (0.88, -0.54), (0.93, -0.22), (0.9, 0.08):
            crown = np.minimum(crown, disc(s - cu, v - cv, 0.24, 0.24))
    cap = both(crown, v - np.minimum(hairline + curve * s * s + slope * p.side * u, 0.12))
    if beside:
        cap = np.minimum(cap, both(skull, 0.70 - 0.1 * v * v - s, v - beside))
    paint(both(skull + volume + 0.07, cap - 0.06), shade, 0.6, blur=0.14)
    glint = np.abs(np.sqrt((u + 0.3 * light) ** 2 + (v + 0.05) ** 2) - 0.92 - 0.14 * (p.look == "quiff"))
    paint(cap, hair * (0.95 + 0.22 * ease(1 - glint / 0.12) - 0.1 * v)[:, None])

    if p.glasses:
        u, v = look(-1.0, -0.45, 1.0, 0.35)
        s, v = np.abs(u - 1.3 * yaw), v - 1.2 * pitch - p.eye_y - 0.02
        a, b = ((s - p.eye_x) / 0.30) ** 2, (v / 0.25) ** 2
        rim = 0.26 * (np.sqrt(a + b if p.glasses == 1 else np.sqrt(a * a + b * b)) - 1)
        paint(rim, rgb("ffffff"), 0.12)
        bar = stroke(v + 0.06, 0.02, both(-rim, s - wide))  # bridge and arms: one line, outside the rims
        paint(np.minimum(np.abs(rim) - 0.022, bar), p.frame)

    lamp = (1 + 0.025 * warm * np.float32([[[1]], [[0]], [[-1]]])) * (1 + 0.05 * bright + 0.06 * light * x - 0.02 * y)
    return np.clip(canvas.rgb * (255 * lamp) + 0.5, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)


def draw_faces(size=64, seed=0, videos=None, progress=iter):
    """
    The data set as (frames, lengths, labels, classes): uint8 (F, size, size, 3), all videos end to end; int64 (N,);
    a dict of int64 (N,); a dict of the names of each label's values.

    52 people show five expressions two or three times each: 633 videos of 64 to 80 frames, from neutral to the apex
    (in the middle) and back. `videos`, a list of numbers below 633, draws those alone, with the same bytes.
    `progress` wraps the loop over the videos: tqdm, for one.
    """
    rng, names = np.random.default_rng(seed), list(EXPRESSIONS)
    factors, people = draw_people(rng)
    pairs = len(people) * len(names)
    takes = 2 + (np.argsort(rng.random(pairs)) < 633 - 2 * pairs)
    subject, expression = np.divmod(np.repeat(np.arange(pairs), takes), len(names))
    lengths = 64 + (17 * rng.random(633)).astype(np.int64)
    chosen = np.arange(633) if videos is None else np.asarray(videos, np.int64)
    subject, expression, lengths = subject[chosen], expression[chosen], lengths[chosen]
    ends, frames = lengths.cumsum(), np.empty((lengths.sum(), size, size, 3), np.uint8)
    for n in progress(range(len(chosen))):
        own = np.random.default_rng([seed, chosen[n]])  # a video's own numbers: no video depends on the ones before it
        video = draw_video(people[subject[n]], names[expression[n]], lengths[n], size, own)
        frames[ends[n] - lengths[n] : ends[n]] = video
    labels = {"subject": subject, "expression": expression} | {name: of[subject] for name, of in factors.items()}
    classes = {"subject": [f"{k:02d}" for k in range(len(people))], "expression": names}
    return frames, lengths, labels, classes | {name: list(values) for name, values in FACE_FACTORS.items()}
