set terminal pdfcairo
set title "Andamento"
plot sin(x) with lines, x/10 with points
