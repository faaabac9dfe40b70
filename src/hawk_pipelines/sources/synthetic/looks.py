"""The colours, places and scenes that scripts name and drawings show."""

Colour = tuple[int, int, int]

# RGB. Far enough apart to be told apart at night and after chroma subsampling.
COLOURS = {
    "red": (225, 30, 35),
    "green": (30, 190, 50),
    "blue": (40, 70, 235),
    "yellow": (240, 220, 30),
    "purple": (190, 40, 210),
    "white": (245, 245, 245),
}
CLOTHES = {"grey": (120, 122, 128), "brown": (96, 72, 54), "beige": (186, 172, 148), "black": (48, 46, 50)}
"""What passers-by wear in the appearance world."""
PLACES = {"at the back": 0.36, "in the middle": 0.60, "at the front": 0.84}
"""Where a figure's feet are, as a share of the picture's height; figures nearer to the camera are larger."""
SCENES = {  # ground and wall colours
    "plaza": ((128, 124, 118), (98, 92, 88)),
    "street": ((92, 92, 96), (120, 112, 104)),
    "car park": ((110, 112, 110), (84, 88, 94)),
    "walkway": ((140, 132, 120), (92, 102, 92)),
}
