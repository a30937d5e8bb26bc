"""Operations on dense rows that cost more than their arithmetic elsewhere: dropout, normalization with dropout and ReLU."""
