"""Changes of images, pixel by pixel beside Python's own color arithmetic."""

from __future__ import annotations

import colorsys
import math

import pytest
import torch
from torch import Tensor

from graphkit.errors import DataError
from graphkit.vision import CHARACTERISTICS, characteristics
from graphkit.vision.characteristics import brightness, contrast, hue, saturation, shape, texture

COLOR = torch.rand(2, 3, 6, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
GRAY = COLOR[:, :1]


def test_hue_turns_the_color_circle() -> None:
    found = hue(COLOR, 0.1)
    for place in range(6 * 7):
        y, x = divmod(place, 7)
        h, s, v = colorsys.rgb_to_hsv(*COLOR[1, :, y, x].tolist())
        assert found[1, :, y, x].tolist() == pytest.approx(colorsys.hsv_to_rgb((h + 0.1) % 1, s, v))
    torch.testing.assert_close(hue(COLOR, 1.0), COLOR)
    flat = torch.full((1, 3, 2, 2), 0.4, dtype=torch.float64)
    torch.testing.assert_close(hue(flat), flat)  # gray has no hue


def test_saturation_contrast_and_brightness() -> None:
    found = {"saturation": saturation(COLOR), "contrast": contrast(COLOR), "brightness": brightness(COLOR)}
    grays = [[0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2] for p in COLOR[i].flatten(1).t().tolist()] for i in range(2)]
    for i in range(2):
        mean = sum(grays[i]) / len(grays[i])
        for place, pixel in enumerate(COLOR[i].flatten(1).t().tolist()):
            y, x = divmod(place, 7)
            for c, value in enumerate(pixel):
                expected = {
                    "saturation": grays[i][place] + 0.7 * (value - grays[i][place]),
                    "contrast": mean + 0.45 * (value - mean),
                    "brightness": 0.8 * value,
                }
                for name, wanted in expected.items():
                    assert found[name][i, c, y, x].item() == pytest.approx(min(max(wanted, 0), 1)), name


def test_shape_takes_pixels_from_where_the_wave_is() -> None:
    images = COLOR
    found = shape(images, amplitude=40.0, frequency=0.01)
    scale = 6 / 224
    for y in range(6):
        for x in range(7):
            from_y = y + 40 * scale * math.sin(2 * math.pi * 0.01 / scale * x)
            from_x = x + 40 * scale * math.sin(2 * math.pi * 0.01 / scale * y)
            torch.testing.assert_close(found[0, :, y, x], _between(images[0], from_y, from_x))


def _between(image: Tensor, y: float, x: float) -> Tensor:
    """Bilinear, the border repeated."""
    y, x = min(max(y, 0), image.size(1) - 1), min(max(x, 0), image.size(2) - 1)
    top, left = min(int(y), image.size(1) - 2), min(int(x), image.size(2) - 2)
    a, b = y - top, x - left
    upper = (1 - b) * image[:, top, left] + b * image[:, top, left + 1]
    lower = (1 - b) * image[:, top + 1, left] + b * image[:, top + 1, left + 1]
    return (1 - a) * upper + a * lower


def test_texture_is_a_mean_over_places_that_look_alike() -> None:
    images = GRAY[:1]
    found = texture(images, strength=60.0, template=3, search=5)
    height, width = images.shape[2:]

    def at(y: int, x: int) -> float:
        return images[0, 0, min(max(y, 0), height - 1), min(max(x, 0), width - 1)].item()

    for y in (2, 3):
        for x in (2, 3, 4):  # where no window leaves the image
            total = weights = 0.0
            for dy in range(-2, 3):
                for dx in range(-2, 3):
                    apart = [(at(y + a, x + b) - at(y + a + dy, x + b + dx)) ** 2 for a in (-1, 0, 1) for b in (-1, 0, 1)]

                    weight = math.exp(-sum(apart) / 9 / (60 / 255) ** 2)
                    total += weight * at(y + dy, x + dx)
                    weights += weight

            assert found[0, 0, y, x].item() == pytest.approx(total / weights, rel=1e-6)


@pytest.mark.parametrize("name", sorted(CHARACTERISTICS))
def test_a_constant_image_has_nothing_to_lose_but_brightness(name: str) -> None:
    images = torch.full((1, 3, 8, 8), 0.5)
    changed = CHARACTERISTICS[name](images)
    expected = 0.4 if name == "brightness" else 0.5
    torch.testing.assert_close(changed, torch.full_like(images, expected))


def test_gray_images_have_no_color_to_change() -> None:
    assert list(characteristics(1)) == ["contrast", "brightness", "shape", "texture"]
    assert list(characteristics(3)) == list(CHARACTERISTICS)
    for change in characteristics(1).values():
        changed = change(GRAY)
        assert changed.shape == GRAY.shape and float(changed.min()) >= 0 and float(changed.max()) <= 1
    with pytest.raises(DataError, match="of 1 or 3 channels; these have 4"):
        characteristics(4)
