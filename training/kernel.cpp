// Forward and backward passes of a BERT cross-encoder on the CPU, for train.py (kernel.py compiles and calls this).
//
// Pairs of one group stand behind one another without padding: the linear layers see all their tokens as one matrix, attention
// takes each pair for itself. The last layer computes the row of [CLS] only. Threads take whole groups from a shared counter, each
// adds up gradients of its own. All numbers are float32; products are OpenBLAS's, on one thread each.
#include <cblas.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <thread>
#include <vector>

extern "C" void openblas_set_num_threads(int);

namespace {

struct Shape {
  int layers, hidden, heads, ffn, vocabulary, positions;
  int head() const { return hidden / heads; }
};

using Floats = std::vector<float>;

struct Norm { float *weight, *bias; };
struct Dense { float *weight, *bias; };  // weight [out, in]
struct Layer { Dense qkv, out; Norm attention; Dense up, down; Norm output; };

// Views into one flat array; kernel.py lays the tensors out in the same order.
struct Weights {
  float *word, *position, *type;
  Norm norm;
  std::vector<Layer> layers;
  Dense pooler, classifier;

  Weights(const Shape& s, float* at) {
    auto take = [&](size_t n) { float* p = at; at += n; return p; };
    auto norm_of = [&] { float* w = take(s.hidden); return Norm{w, take(s.hidden)}; };
    auto dense_of = [&](size_t out, size_t in) { float* w = take(out * in); return Dense{w, take(out)}; };
    word = take(size_t(s.vocabulary) * s.hidden);
    position = take(size_t(s.positions) * s.hidden);
    type = take(2 * size_t(s.hidden));
    norm = norm_of();
    for (int i = 0; i < s.layers; i++) {
      Layer l;
      l.qkv = dense_of(3 * s.hidden, s.hidden);
      l.out = dense_of(s.hidden, s.hidden);
      l.attention = norm_of();
      l.up = dense_of(s.ffn, s.hidden);
      l.down = dense_of(s.hidden, s.ffn);
      l.output = norm_of();
      layers.push_back(l);
    }
    pooler = dense_of(s.hidden, s.hidden);
    classifier = dense_of(1, s.hidden);
  }
};

// c [m, n] = beta c + op(a) op(b); every matrix is row-major, `ld` its row length in memory.
void product(bool ta, bool tb, int m, int n, int k, const float* a, int lda, const float* b, int ldb, float beta, float* c, int ldc, float alpha = 1) {
  cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void dense(const Dense& w, const float* x, int rows, int in, int out, float* y) {
  for (int r = 0; r < rows; r++) std::memcpy(y + size_t(r) * out, w.bias, out * sizeof(float));
  product(false, true, rows, out, in, x, in, w.weight, in, 1, y, out);
}

// Adds to the gradients of weight and bias; dx = dy W, or += with `add`.
void dense_back(const Dense& w, const Dense& g, const float* x, const float* dy, int rows, int in, int out, float* dx, bool add = false) {
  product(true, false, out, in, rows, dy, out, x, in, 1, g.weight, in);
  for (int r = 0; r < rows; r++)
    for (int j = 0; j < out; j++) g.bias[j] += dy[size_t(r) * out + j];
  if (dx) product(false, false, rows, in, out, dy, out, w.weight, in, add ? 1 : 0, dx, in);
}

// y = LayerNorm(x); x becomes the normalised rows, `scale` their 1 / deviation.
void layer_norm(const Norm& w, float* x, int rows, int n, float* y, float* scale) {
  for (int r = 0; r < rows; r++) {
    float* v = x + size_t(r) * n;
    float sum = 0, square = 0;
    for (int j = 0; j < n; j++) sum += v[j];
    const float mean = sum / n;
    for (int j = 0; j < n; j++) { v[j] -= mean; square += v[j] * v[j]; }
    const float s = scale[r] = 1 / std::sqrt(square / n + 1e-12f);
    for (int j = 0; j < n; j++) { v[j] *= s; y[size_t(r) * n + j] = v[j] * w.weight[j] + w.bias[j]; }
  }
}

void layer_norm_back(const Norm& w, const Norm& g, const float* normal, const float* scale, int rows, int n, const float* dy, float* dx) {
  for (int r = 0; r < rows; r++) {
    const float *v = normal + size_t(r) * n, *d = dy + size_t(r) * n;
    float* out = dx + size_t(r) * n;
    float sum = 0, dot = 0;
    for (int j = 0; j < n; j++) {
      const float e = d[j] * w.weight[j];
      g.weight[j] += d[j] * v[j];
      g.bias[j] += d[j];
      out[j] = e;
      sum += e;
      dot += e * v[j];
    }
    sum /= n;
    dot /= n;
    for (int j = 0; j < n; j++) out[j] = scale[r] * (out[j] - sum - v[j] * dot);
  }
}

void gelu(const float* x, float* y, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] = 0.5f * x[i] * (1 + erff(x[i] * 0.70710678f));
}

void gelu_back(const float* x, float* d, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const float v = x[i];
    d[i] *= 0.5f * (1 + erff(v * 0.70710678f)) + v * 0.39894228f * expf(-0.5f * v * v);
  }
}

void softmax(float* x, int n) {
  float top = x[0], sum = 0;
  for (int i = 1; i < n; i++) top = std::max(top, x[i]);
  for (int i = 0; i < n; i++) { x[i] = expf(x[i] - top); sum += x[i]; }
  for (int i = 0; i < n; i++) x[i] /= sum;
}

struct Group {
  int pairs;
  const int *starts, *queries;  // [pairs + 1] first token of each pair; [pairs] tokens of the first segment
  const int* ids;
};

// What one layer keeps for the backward pass. `rows`: the tokens whose output is computed, all or each pair's first.
struct Kept {
  Floats input, qkv, chances, mixed, normal1, scale1, middle, up, active, normal2, scale2;
};

class Pass {
 public:
  Pass(const Shape& s, float* weights, float* gradients) : s(s), w(s, weights), g(s, gradients ? gradients : weights), kept(s.layers) {}

  void forward(const Group& group, float* logits) {
    const int h = s.hidden, tokens = group.starts[group.pairs];
    embedded.resize(size_t(tokens) * h);
    embedding_scale.resize(tokens);
    Floats x(size_t(tokens) * h);
    for (int p = 0; p < group.pairs; p++)
      for (int t = group.starts[p]; t < group.starts[p + 1]; t++) {
        const int place = t - group.starts[p];
        const float *a = w.word + size_t(group.ids[t]) * h, *b = w.position + size_t(place) * h, *c = w.type + (place < group.queries[p] ? 0 : h);
        for (int j = 0; j < h; j++) embedded[size_t(t) * h + j] = a[j] + b[j] + c[j];
      }
    layer_norm(w.norm, embedded.data(), tokens, h, x.data(), embedding_scale.data());
    for (int i = 0; i < s.layers; i++) x = layer(w.layers[i], kept[i], std::move(x), group, i + 1 == s.layers);
    first = std::move(x);
    pooled.resize(size_t(group.pairs) * h);
    dense(w.pooler, first.data(), group.pairs, h, h, pooled.data());
    for (float& v : pooled) v = std::tanh(v);
    dense(w.classifier, pooled.data(), group.pairs, h, 1, logits);
  }

  void backward(const Group& group, const float* dlogits) {
    const int h = s.hidden, tokens = group.starts[group.pairs];
    Floats dpooled(pooled.size()), d(pooled.size());
    dense_back(w.classifier, g.classifier, pooled.data(), dlogits, group.pairs, h, 1, dpooled.data());
    for (size_t i = 0; i < pooled.size(); i++) dpooled[i] *= 1 - pooled[i] * pooled[i];
    dense_back(w.pooler, g.pooler, first.data(), dpooled.data(), group.pairs, h, h, d.data());
    for (int i = s.layers; i--;) d = layer_back(w.layers[i], g.layers[i], kept[i], std::move(d), group, i + 1 == s.layers);
    Floats dx(size_t(tokens) * h);
    layer_norm_back(w.norm, g.norm, embedded.data(), embedding_scale.data(), tokens, h, d.data(), dx.data());
    for (int p = 0; p < group.pairs; p++)
      for (int t = group.starts[p]; t < group.starts[p + 1]; t++) {
        const int place = t - group.starts[p];
        float *a = g.word + size_t(group.ids[t]) * h, *b = g.position + size_t(place) * h, *c = g.type + (place < group.queries[p] ? 0 : h);
        const float* e = dx.data() + size_t(t) * h;
        for (int j = 0; j < h; j++) { a[j] += e[j]; b[j] += e[j]; c[j] += e[j]; }
      }
  }

 private:
  Floats layer(const Layer& l, Kept& k, Floats input, const Group& group, bool last) {
    const int h = s.hidden, tokens = group.starts[group.pairs], rows = last ? group.pairs : tokens;
    k.input = std::move(input);
    k.qkv.resize(size_t(tokens) * 3 * h);
    dense(l.qkv, k.input.data(), tokens, h, 3 * h, k.qkv.data());
    attention(k, group, last);
    k.normal1.resize(size_t(rows) * h);
    k.scale1.resize(rows);
    k.middle.resize(size_t(rows) * h);
    dense(l.out, k.mixed.data(), rows, h, h, k.normal1.data());
    for (int r = 0; r < rows; r++) {
      const float* x = k.input.data() + size_t(last ? group.starts[r] : r) * h;
      for (int j = 0; j < h; j++) k.normal1[size_t(r) * h + j] += x[j];
    }
    layer_norm(l.attention, k.normal1.data(), rows, h, k.middle.data(), k.scale1.data());
    k.up.resize(size_t(rows) * s.ffn);
    k.active.resize(k.up.size());
    dense(l.up, k.middle.data(), rows, h, s.ffn, k.up.data());
    gelu(k.up.data(), k.active.data(), k.up.size());
    k.normal2.resize(size_t(rows) * h);
    k.scale2.resize(rows);
    dense(l.down, k.active.data(), rows, s.ffn, h, k.normal2.data());
    for (size_t i = 0; i < k.normal2.size(); i++) k.normal2[i] += k.middle[i];
    Floats y(size_t(rows) * h);
    layer_norm(l.output, k.normal2.data(), rows, h, y.data(), k.scale2.data());
    return y;
  }

  void attention(Kept& k, const Group& group, bool last) {
    const int h = s.hidden, d = s.head(), tokens = group.starts[group.pairs];
    const float scale = 1 / std::sqrt(float(d));
    k.mixed.resize(size_t(last ? group.pairs : tokens) * h);
    size_t size = 0;
    for (int p = 0; p < group.pairs; p++) {
      const size_t n = group.starts[p + 1] - group.starts[p];
      size += s.heads * n * (last ? 1 : n);
    }
    k.chances.resize(size);
    float* chances = k.chances.data();
    for (int p = 0; p < group.pairs; p++) {
      const int start = group.starts[p], n = group.starts[p + 1] - start, rows = last ? 1 : n;
      for (int head = 0; head < s.heads; head++, chances += size_t(rows) * n) {
        const float* q = k.qkv.data() + size_t(start) * 3 * h + head * d;
        product(false, true, rows, n, d, q, 3 * h, q + h, 3 * h, 0, chances, n, scale);
        for (int r = 0; r < rows; r++) softmax(chances + size_t(r) * n, n);
        product(false, false, rows, d, n, chances, n, q + 2 * h, 3 * h, 0, k.mixed.data() + size_t(last ? p : start) * h + head * d, h);
      }
    }
  }

  // From the gradient of the layer's output rows to that of all its input rows.
  Floats layer_back(const Layer& l, const Layer& gl, Kept& k, Floats dy, const Group& group, bool last) {
    const int h = s.hidden, tokens = group.starts[group.pairs], rows = last ? group.pairs : tokens;
    Floats d(size_t(rows) * h), dmiddle(size_t(rows) * h), dup(size_t(rows) * s.ffn);
    layer_norm_back(l.output, gl.output, k.normal2.data(), k.scale2.data(), rows, h, dy.data(), dmiddle.data());
    dense_back(l.down, gl.down, k.active.data(), dmiddle.data(), rows, s.ffn, h, dup.data());
    gelu_back(k.up.data(), dup.data(), dup.size());
    dense_back(l.up, gl.up, k.middle.data(), dup.data(), rows, h, s.ffn, dmiddle.data(), true);
    layer_norm_back(l.attention, gl.attention, k.normal1.data(), k.scale1.data(), rows, h, dmiddle.data(), d.data());
    Floats dmixed(size_t(rows) * h), dqkv(size_t(tokens) * 3 * h), dx(size_t(tokens) * h);
    dense_back(l.out, gl.out, k.mixed.data(), d.data(), rows, h, h, dmixed.data());
    attention_back(k, group, last, dmixed.data(), dqkv.data());
    dense_back(l.qkv, gl.qkv, k.input.data(), dqkv.data(), tokens, h, 3 * h, dx.data());
    for (int r = 0; r < rows; r++) {
      float* x = dx.data() + size_t(last ? group.starts[r] : r) * h;
      for (int j = 0; j < h; j++) x[j] += d[size_t(r) * h + j];
    }
    return dx;
  }

  void attention_back(Kept& k, const Group& group, bool last, const float* dmixed, float* dqkv) {
    const int h = s.hidden, d = s.head();
    const float scale = 1 / std::sqrt(float(d));
    const float* chances = k.chances.data();
    Floats dscores;
    for (int p = 0; p < group.pairs; p++) {
      const int start = group.starts[p], n = group.starts[p + 1] - start, rows = last ? 1 : n;
      dscores.resize(size_t(rows) * n);
      for (int head = 0; head < s.heads; head++, chances += size_t(rows) * n) {
        const size_t at = size_t(start) * 3 * h + head * d;
        const float *q = k.qkv.data() + at, *out = dmixed + size_t(last ? p : start) * h + head * d;
        float* dq = dqkv + at;
        product(true, false, n, d, rows, chances, n, out, h, 0, dq + 2 * h, 3 * h);
        product(false, true, rows, n, d, out, h, q + 2 * h, 3 * h, 0, dscores.data(), n);
        for (int r = 0; r < rows; r++) {
          float* e = dscores.data() + size_t(r) * n;
          const float* c = chances + size_t(r) * n;
          float dot = 0;
          for (int i = 0; i < n; i++) dot += e[i] * c[i];
          for (int i = 0; i < n; i++) e[i] = (e[i] - dot) * c[i];
        }
        product(false, false, rows, d, n, dscores.data(), n, q + h, 3 * h, 0, dq, 3 * h, scale);
        product(true, false, n, d, rows, dscores.data(), n, q, 3 * h, 0, dq + h, 3 * h, scale);
      }
    }
  }

  Shape s;
  Weights w, g;
  std::vector<Kept> kept;
  Floats embedded, embedding_scale, first, pooled;
};

template <class Work>
void in_parallel(int threads, Work work) {
  openblas_set_num_threads(1);
  mallopt(M_MMAP_THRESHOLD, 1 << 30);  // arrays that come and go with each group keep their pages
  mallopt(M_TRIM_THRESHOLD, 2047 << 20);
  std::vector<std::thread> running;
  for (int i = 1; i < threads; i++) running.emplace_back(work, i);
  work(0);
  for (auto& t : running) t.join();
}

Group group_at(int i, const int* firsts, const int* starts, const int* queries, const int* ids, std::vector<int>& own) {
  const int pairs = firsts[i + 1] - firsts[i], *s = starts + firsts[i];
  own.resize(pairs + 1);
  for (int p = 0; p <= pairs; p++) own[p] = s[p] - s[0];
  return Group{pairs, own.data(), queries + firsts[i], ids + s[0]};
}

}  // namespace

extern "C" {

// Groups i = 0 .. groups - 1 hold the pairs firsts[i] .. firsts[i + 1] - 1, pair p the tokens starts[p] .. starts[p + 1] - 1.

// logits [pairs].
void score(const int* shape, float* weights, int groups, const int* firsts, const int* starts, const int* queries, const int* ids, float* logits, int threads) {
  const Shape s{shape[0], shape[1], shape[2], shape[3], shape[4], shape[5]};
  std::atomic<int> next{0};
  in_parallel(threads, [&](int) {
    Pass pass(s, weights, nullptr);
    std::vector<int> own;
    for (int i; (i = next++) < groups;) pass.forward(group_at(i, firsts, starts, queries, ids, own), logits + firsts[i]);
  });
}

// Mean over the groups of the cross-entropy between targets (a distribution over each group's pairs) and the softmax of the logits.
// gradients [threads, size]: a sum for each thread; they are set to 0 here. losses [groups].
void train(const int* shape, float* weights, float* gradients, long size, int groups, const int* firsts, const int* starts, const int* queries,
           const int* ids, const float* targets, float* logits, float* losses, int threads) {
  const Shape s{shape[0], shape[1], shape[2], shape[3], shape[4], shape[5]};
  std::atomic<int> next{0};
  in_parallel(threads, [&](int thread) {
    float* own_gradients = gradients + size * thread;
    std::memset(own_gradients, 0, size * sizeof(float));
    Pass pass(s, weights, own_gradients);
    std::vector<int> own;
    Floats d;
    for (int i; (i = next++) < groups;) {
      const Group group = group_at(i, firsts, starts, queries, ids, own);
      const float* target = targets + firsts[i];
      float* out = logits + firsts[i];
      pass.forward(group, out);
      d.assign(out, out + group.pairs);
      softmax(d.data(), group.pairs);
      losses[i] = 0;
      for (int p = 0; p < group.pairs; p++) {
        losses[i] -= target[p] * std::log(std::max(d[p], 1e-20f));
        d[p] = (d[p] - target[p]) / groups;
      }
      pass.backward(group, d.data());
    }
  });
}

// One step of Adam over all weights with the summed gradients (norm clipped to 1) and of the moving average. `embeddings`: how
// many of the first weights take the rate `rates[0]`; the others take `rates[1]`.
float update(float* weights, float* gradients, float* mean, float* square, float* average, long size, long embeddings, int step, const float* rates,
             float keep, int threads) {
  double norm = 0;
  for (int t = 1; t < threads; t++)
    for (long i = 0; i < size; i++) gradients[i] += gradients[size * t + i];
  for (long i = 0; i < size; i += 4096) {
    float sum = 0;
    for (long j = i; j < std::min(size, i + 4096); j++) sum += gradients[j] * gradients[j];
    norm += sum;
  }
  norm = std::sqrt(norm);
  const float clip = std::min(1.0, 1 / (norm + 1e-6)), b1 = 0.9f, b2 = 0.98f;
  const float c1 = 1 / (1 - std::pow(b1, step)), c2 = 1 / (1 - std::pow(b2, step));
  for (int part = 0; part < 2; part++)
    for (long i = part ? embeddings : 0; i < (part ? size : embeddings); i++) {
      const float g = gradients[i] * clip;
      mean[i] = b1 * mean[i] + (1 - b1) * g;
      square[i] = b2 * square[i] + (1 - b2) * g * g;
      weights[i] -= rates[part] * mean[i] * c1 / (std::sqrt(square[i] * c2) + 1e-8f);
      average[i] += (1 - keep) * (weights[i] - average[i]);
    }
  return norm;
}
}
