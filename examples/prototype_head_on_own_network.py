"""A prototype head on an own torch network: it says of every decision which training samples it looks like.

Run it: python examples/prototype_head_on_own_network.py
"""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

from graphkit.prototypes import LinearHead, PartBatch, PrototypeBank, class_identity, explain, losses, project

torch.manual_seed(0)
x, y = (torch.as_tensor(part) for part in load_digits(return_X_y=True))
x, y = x.float() / 16, y.long()
is_train = torch.rand(len(y)) < 0.7

network = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))  # any network that embeds a sample
bank = PrototypeBank(class_identity([3] * 10), dim=16)  # three prototypes per digit
head = LinearHead(bank.identity)


def train(parameters: list[nn.Parameter], steps: int) -> None:
    """Cross entropy, and every sample near a prototype of its class."""
    optimizer = torch.optim.Adam(parameters, lr=0.01)
    for _ in range(steps):
        similarity = bank(PartBatch.of_nodes(network(x[is_train]))).similarity
        loss = functional.cross_entropy(head(similarity), y[is_train])
        loss = loss + 0.8 * losses.cluster(similarity, y[is_train], bank.identity)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


train([*network.parameters(), *bank.parameters()], 200)
found = project(bank, network, lambda: [PartBatch.of_nodes(network(x))], labels=y, train=is_train)  # they become images
bank.eval()  # from here on only the head learns
train([*head.parameters()], 50)

with torch.no_grad():
    parts = PartBatch.of_nodes(network(x))
    right = head(bank(parts).similarity).argmax(dim=1) == y
print(f"test accuracy {right[~is_train].float().mean():.1%}; the prototypes are {found.distinct} training images")

image = int((~is_train).nonzero()[0])
told = explain(parts, image, bank=bank, head=head, encoder=network, top=3)
print(f"image {image} is a {told.predicted.label}, because it looks like")
for line in told.predicted.lines:
    print(
        f"  image {line.source[0]}, a {line.classes[0]}: {line.similarity:.2f} x {line.weight:.2f} = {line.contribution:+.2f}"
    )
print(f"  and others {told.predicted.remainder:+.2f}; together {told.predicted.logit:.2f}")
