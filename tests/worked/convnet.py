"Max pooling and its way back: two solutions, and typical mistakes."
import torch
import torch.nn.functional as F

from worked import fails, works

NAME = 'convnet.max_pooling'


def pool(images, size, stride):
    return images.unfold(2, size, stride).unfold(3, size, stride).amax((-1, -2))


def back(images, grad, size, stride, add=True):
    out = torch.zeros_like(images)
    for i in range(grad.shape[2]):
        for j in range(grad.shape[3]):
            rows, columns = slice(i*stride, i*stride + size), slice(j*stride, j*stride + size)
            window = images[:, :, rows, columns].flatten(2)
            won = F.one_hot(window.argmax(2), size*size).view(*grad.shape[:2], size, size)
            share = won*grad[:, :, i, j, None, None]
            if add: out[:, :, rows, columns] += share
            else: out[:, :, rows, columns] = share
    return out


@works(NAME)
def by_windows(): return dict(pool=pool, back=back)


@works(NAME)
def by_place():
    def pool(images, size, stride):
        h, w = ((n - size)//stride + 1 for n in images.shape[2:])
        parts = [images[:, :, a:a + (h - 1)*stride + 1:stride, b:b + (w - 1)*stride + 1:stride]
                 for a in range(size) for b in range(size)]
        return torch.stack(parts).amax(0)

    def back(images, grad, size, stride):
        n, c, h, w = images.shape
        numbers = torch.arange(h*w).view(1, h, w).expand(n*c, h, w).view(n, c, h, w)
        numbers = numbers.unfold(2, size, stride).unfold(3, size, stride).flatten(-2)
        won = images.unfold(2, size, stride).unfold(3, size, stride).flatten(-2).argmax(-1)
        places = numbers.gather(-1, won[..., None])[..., 0].flatten(2)
        return torch.zeros(n, c, h*w).scatter_add(2, places, grad.flatten(2)).view(n, c, h, w)
    return dict(pool=pool, back=back)


@fails(NAME, 'squares', 'windows')
def from_zero():
    def pool(images, size, stride):
        return images.unfold(2, size, stride).unfold(3, size, stride).amax((-1, -2)).clamp(min=0)
    return dict(pool=pool, back=back)


@fails(NAME, 'windows')
def side_by_side_only():
    def pool(images, size, stride):
        n, c, h, w = images.shape
        images = images[:, :, :h//size*size, :w//size*size]
        return images.reshape(n, c, h//size, size, w//size, size).amax((3, 5))
    return dict(pool=pool, back=back)


@fails(NAME, 'many_wins')
def overwrites():
    def other(images, grad, size, stride): return back(images, grad, size, stride, add=False)
    return dict(pool=pool, back=other)


@fails(NAME, 'winners', 'many_wins')
def shared_by_all():
    def back(images, grad, size, stride):
        out = torch.zeros_like(images)
        for i in range(grad.shape[2]):
            for j in range(grad.shape[3]):
                rows, columns = slice(i*stride, i*stride + size), slice(j*stride, j*stride + size)
                out[:, :, rows, columns] += grad[:, :, i, j, None, None]/size**2
        return out
    return dict(pool=pool, back=back)


@fails(NAME, 'kept')
def in_place():
    def other(images, grad, size, stride):
        made = back(images, grad, size, stride)
        return images.copy_(made)
    return dict(pool=pool, back=other)
